/* Files that go with a text: picked, dropped or pasted. Views/attach.js uploads and shows them. */
import { useMemo, useRef, useState } from "../vendor/hooks.js";
import { isOwnText } from "../model/files.js";
import { freshId } from "../wire/api.js";

/**
 * @typedef {object} Attached
 * @property {string} key
 * @property {string} name
 * @property {number} size
 * @property {string} type
 * @property {File} [file] Until it is uploaded.
 * @property {string} [file_id] Once it is.
 * @property {string} [url] Of one that is elsewhere.
 * @property {string} [kind] Of a part that was sent before: `image` or `file`.
 * @property {string} [why] Why it can't be sent.
 */

/** @param {any} part Of a message that was sent before. @returns {Attached} */
const again = (part) => ({
  key: freshId(),
  name: part.name || part.url || part.file_id,
  size: part.size ?? 0,
  type: part.media_type ?? "",
  file_id: part.file_id,
  url: part.url,
  kind: part.type,
});

/**
 * The files beside a text.
 * @param {any[]} [before] Parts of a message that is sent again.
 * @returns `ready` once all are uploaded; `takes` are the props of what they can be dropped on.
 */
export function useAttached(before = []) {
  const [files, setFiles] = useState(() => before.map(again));
  /** @param {Iterable<File>} some */
  const add = (some) => {
    const more = [...some].map((file) => {
      const { name, size, type } = file;
      return /** @type {Attached} */ ({ key: freshId(), name, size, type, file });
    });
    setFiles((now) => [...now, ...more]);
  };
  /** @param {string} key @param {Partial<Attached>} fields */
  const change = (key, fields) =>
    setFiles((now) => now.map((one) => (one.key === key ? { ...one, ...fields } : one)));
  /** @param {string} key */
  const remove = (key) => setFiles((now) => now.filter((one) => one.key !== key));
  const takes = {
    onDragOver: (/** @type {DragEvent} */ event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    },
    onDrop: (/** @type {DragEvent} */ event) => taken(event, event.dataTransfer, add),
    onPaste: (/** @type {ClipboardEvent} */ event) => {
      if (!hasText(event.clipboardData)) taken(event, event.clipboardData, add);
    },
  };
  const ready = files.every((one) => (one.file_id || one.url) && !one.why);
  return { files, add, change, remove, set: setFiles, takes, ready };
}

/**
 * @param {Event} event
 * @param {DataTransfer | null} data
 * @param {(files: Iterable<File>) => void} add
 */
function taken(event, data, add) {
  if (!data?.files.length) return;
  event.preventDefault();
  add(data.files);
}

/** @param {DataTransfer | null} data */
function hasText(data) {
  const names = [...(data?.files ?? [])].map(({ name }) => name);
  return isOwnText(data?.getData("text/plain") ?? "", names);
}

const PICTURE = /^image\//;

/**
 * A message of a text and files: parts, or the text alone.
 * @param {string} text
 * @param {Attached[]} files
 */
export function contentOf(text, files) {
  if (!files.length) return text;
  const named = files.map(({ kind, type, file_id: id, url }) => ({
    type: kind ?? (PICTURE.test(type) ? "image" : "file"),
    ...(id ? { file_id: id } : { url }),
  }));
  return text.trim() ? [{ type: "text", text }, ...named] : named;
}

/**
 * The file that the server refuses, whatever is attached or taken away since.
 * @param {import("../wire/api.js").Problem | null} problem Of the newest message that was sent.
 * @returns `refused`: undefined if it refuses something else; `sends` must be told of each message.
 */
export function useRefused(problem) {
  const sent = useRef({ text: "", files: /** @type {Attached[]} */ ([]) });
  const refused = useMemo(() => {
    const at = /^(?:input|content)\.(\d+)/.exec(problem?.field ?? "");
    const { text, files } = sent.current;
    return at ? files[Number(at[1]) - (text.trim() ? 1 : 0)] : undefined;
  }, [problem]);
  /** @param {string} text @param {Attached[]} files */
  const sends = (text, files) => (sent.current = { text, files });
  return { refused, sends };
}
