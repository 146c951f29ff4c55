/* Files of a message or a tool: pictures as thumbnails, all others by name. Nothing is foreign. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { addressOf, bytes, diskNameOf, isPicture, nameOf } from "../model/files.js";
import { visible } from "../model/words.js";
import { Problem } from "../wire/api.js";
import { bytesOf } from "../wire/files.js";
import { Dialog } from "./dialog.js";
import { a, b, button, code, div, footer, li, small, span, ul } from "./elements.js";
import { icon } from "./icons.js";
import { useNear } from "./near.js";
import { dialog, explain, say } from "./shared.js";

/** Larger pictures are read when somebody opens them. */
const MAX_THUMB_BYTES = 8 * 1024 * 1024;
const KEPT_MS = 10_000;

/** @param {{files: any[]}} props Parts with `type` `image` or `file`. */
export const Files = ({ files }) =>
  ul(
    { class: "files", "aria-label": "Files" },
    files.map((file, at) => li({ key: at }, h(One, { file }))),
  );

/** @param {{file: any}} props */
function One({ file }) {
  if (!file.file_id) return h(Elsewhere, { file });
  return isPicture(file.media_type) ? h(Thumb, { file }) : h(Named, { file });
}

/**
 * The address of a picture's bytes in this page, as long as it is wanted; they go when it is not.
 * @param {any} file
 * @param {boolean} wanted
 */
function usePicture(file, wanted) {
  const [{ url, why }, setFound] = useState({ url: "", why: "" });
  useEffect(() => {
    if (!wanted) return undefined;
    const stop = new AbortController();
    let made = "";
    bytesOf(file.file_id, stop.signal).then(
      (read) => {
        if (stop.signal.aborted) return;
        // the type is one of those that are only ever pictures
        made = URL.createObjectURL(new Blob([read], { type: file.media_type }));
        setFound({ url: made, why: "" });
      },
      (error) => {
        if (stop.signal.aborted) return;
        setFound({ url: "", why: explain(error) });
      },
    );
    return () => {
      stop.abort();
      if (made) URL.revokeObjectURL(made);
      setFound({ url: "", why: "" });
    };
  }, [file.file_id, wanted]);
  return { url, why, broken: () => setFound({ url: "", why: "It can't be shown as a picture." }) };
}

/** A picture in a small frame; it opens large. @param {{file: any}} props */
function Thumb({ file }) {
  const { ref, near } = useNear("#feed", false);
  const small = file.size <= MAX_THUMB_BYTES;
  const { url, why, broken } = usePicture(file, near && small);
  const open = () => (dialog.value = { draw: () => h(Large, { file }) });
  const name = visible(nameOf(file));
  return div(
    { class: "thumb", ref },
    button(
      { class: "frame", type: "button", onClick: open, "aria-label": `Open ${name}` },
      url ? h("img", { src: url, alt: "", onError: broken, decoding: "async" }) : icon("file"),
    ),
    span({ class: "name", title: name }, name),
    why ? span({ class: "t-fail sm" }, why) : null,
  );
}

/** @param {{file: any}} props */
function Large({ file }) {
  const { url, why, broken } = usePicture(file, true);
  const name = visible(nameOf(file));
  return h(
    Dialog,
    { title: name, class: "picture" },
    div(
      { class: "large" },
      url
        ? h("img", { src: url, alt: name, onError: broken })
        : span({ role: "status" }, why || "…"),
    ),
    footer(null, small(null, about(file)), span({ class: "grow" }), h(Save, { file })),
  );
}

/** @param {any} file */
const about = (file) =>
  [file.media_type, file.size ? bytes(file.size) : ""].filter(Boolean).join(" · ");

/** A file by its name, type and size. @param {{file: any}} props */
const Named = ({ file }) =>
  div(
    { class: "filed" },
    icon("file"),
    span(null, b(null, visible(nameOf(file))), small(null, about(file))),
    h(Save, { file }),
  );

/** One that is not ours: its address, which is opened by nothing but a click. @param {any} props */
function Elsewhere({ file }) {
  const address = addressOf(file.url);
  const kind = file.type === "image" ? "Image at " : "File at ";
  return div(
    { class: "filed" },
    icon("file"),
    span(
      null,
      b(null, kind, code(null, address ? address.host : "an address that can't be opened")),
      small(null, visible(String(file.url ?? ""))),
    ),
    address
      ? a(
          {
            class: "btn quiet",
            href: address.href,
            target: "_blank",
            rel: "noopener noreferrer nofollow",
          },
          "Open there",
          icon("ext"),
        )
      : null,
  );
}

/** Saves a file; no browser shows it in this page's name. @param {{file: any}} props */
function Save({ file }) {
  const [busy, setBusy] = useState(false);
  const name = visible(nameOf(file));
  const save = async () => {
    setBusy(true);
    try {
      const blob = new Blob([await bytesOf(file.file_id)], { type: "application/octet-stream" });
      const url = URL.createObjectURL(blob);
      const anchor = document.createElement("a");
      Object.assign(anchor, { href: url, download: diskNameOf(file) }).click();
      setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(`${name}: ${error.message}`);
    }
    setBusy(false);
  };
  return button(
    {
      class: "btn quiet",
      type: "button",
      disabled: busy,
      onClick: save,
      "aria-label": `Download ${name}`,
    },
    icon("down"),
    "Download",
  );
}
