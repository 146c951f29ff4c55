/* The files beside a text that is written: what may be attached, uploads, what is wrong. */
import { h } from "../vendor/preact.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { bytes, claimOf, inWords, refusalOf } from "../model/files.js";
import { visible } from "../model/words.js";
import { b, button, cx, div, input, li, small, ul } from "../parts/elements.js";
import { icon } from "../parts/icons.js";
import { explain } from "../parts/shared.js";
import { limitsOf, upload } from "../wire/files.js";

const PAUSE_MS = 300;
/** @typedef {import("../parts/attached.js").Attached} Attached */
/** @typedef {ReturnType<typeof import("../parts/attached.js").useAttached>} Files */

/**
 * What the server says may be attached; null until it has. Where it does not answer, what it has
 * said last holds: it checks each file itself.
 * @param {string} model
 */
function useLimits(model) {
  const [found, setFound] = useState({ limits: /** @type {any} */ (null), why: "" });
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let over = false;
    const set = (/** @type {any} */ some) => over || setFound((last) => ({ ...last, ...some }));
    const ask = () =>
      limitsOf(model).then(
        (limits) => set({ limits, why: "" }),
        (error) => set({ why: `What may be attached can't be read: ${explain(error)}` }),
      );
    const timer = setTimeout(ask, found.limits ? PAUSE_MS : 0);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [model, tries]);
  return { ...found, again: () => setTries(tries + 1) };
}

/**
 * @param {object} props
 * @param {Files} props.attached
 * @param {string} props.model
 * @param {Attached} [props.refused] What the server has refused, as the text beside it says.
 */
export function Attach({ attached, model, refused }) {
  const { files, add, remove } = attached;
  const { limits, why, again } = useLimits(model);
  const picker = useRef(/** @type {HTMLInputElement | null} */ (null));
  const opener = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const most = limits ? limits.max_parts - 1 : Infinity;
  const picked = (/** @type {any} */ { target }) => {
    add(target.files);
    target.value = "";
  };
  const removed = (/** @type {string} */ key) => {
    remove(key);
    opener.current?.focus();
  };
  const retried = () => {
    again();
    opener.current?.focus();
  };
  return div(
    { class: "attach" },
    input({
      type: "file",
      multiple: true,
      hidden: true,
      ref: picker,
      onChange: picked,
      "aria-label": "Files to attach",
      tabIndex: -1,
    }),
    button(
      { class: "btn quiet", type: "button", ref: opener, onClick: () => picker.current?.click() },
      icon("plus"),
      "Attach files",
    ),
    why
      ? small({ class: "t-fail", role: "alert", key: "why" }, why)
      : small({ class: "quiet", key: "limits" }, limits ? inWords(limits) : ""),
    why ? button({ class: "btn quiet sm", type: "button", onClick: retried }, "Try again") : null,
    files.length
      ? ul(
          { class: "attached-files", "aria-label": "Attached files" },
          files.map((file, at) =>
            h(Chip, {
              key: file.key,
              file,
              limits,
              many: at >= most ? `is one too many: at most ${most} go with a text` : "",
              refused: file.key === refused?.key,
              change: attached.change,
              remove: removed,
            }),
          ),
        )
      : null,
  );
}

/**
 * @param {object} props
 * @param {Attached} props.file
 * @param {any} props.limits
 * @param {string} props.many
 * @param {boolean} props.refused
 * @param {Files["change"]} props.change
 * @param {Files["remove"]} props.remove
 */
function Chip({ file, limits, many, refused, change, remove }) {
  const uploaded = Boolean(file.file_id);
  const wrong = many || (limits && !file.url ? refusalOf({ ...file, uploaded }, limits) : "");
  const { share, failed, again } = useUpload(file, Boolean(limits) && !wrong, change);
  const said = wrong || failed;
  const name = visible(file.name);
  useEffect(() => {
    if ((file.why ?? "") !== said) change(file.key, { why: said });
  }, [said]);
  return li(
    { class: cx("attached", (said || refused) && "bad"), "data-file": file.name },
    icon("file"),
    b({ title: name }, name),
    said
      ? small({ class: "t-fail", role: "alert" }, `${name} ${said}`)
      : small({ role: "status" }, standing(file, share, Boolean(limits))),
    said || uploaded || file.url
      ? null
      : h("progress", { max: 1, value: share, "aria-label": `Upload of ${name}` }),
    failed ? button({ class: "btn quiet sm", type: "button", onClick: again }, "Try again") : null,
    button(
      {
        class: "icon sm",
        type: "button",
        "aria-label": `Remove ${name}`,
        onClick: () => remove(file.key),
      },
      icon("stop"),
    ),
  );
}

/** @param {Attached} file @param {number} share @param {boolean} begun */
function standing(file, share, begun) {
  if (file.url) return "is read from its address";
  if (file.file_id) return `${file.type} · ${bytes(file.size)}`;
  if (!begun) return "waits to be uploaded";
  return share < 1 ? "is being uploaded …" : "is being checked …";
}

/**
 * Uploads a file as soon as it may be; taking it away stops that.
 * @param {Attached} file
 * @param {boolean} may
 * @param {Files["change"]} change
 */
function useUpload(file, may, change) {
  const [share, tell] = useState(0);
  const [failed, setFailed] = useState("");
  const [tries, setTries] = useState(0);
  const waits = may && Boolean(file.file) && !file.file_id;
  useEffect(() => {
    if (!waits || !file.file) return undefined;
    const stop = new AbortController();
    setFailed("");
    tell(0);
    upload(file.file, claimOf(file.type), { tell, signal: stop.signal }).then(
      ({ file_id, size, type }) => change(file.key, { file_id, size, type, file: undefined }),
      (error) => stop.signal.aborted || setFailed(`can't be uploaded: ${explain(error)}`),
    );
    return () => stop.abort();
  }, [waits, tries]);
  return { share, failed, again: () => setTries(tries + 1) };
}
