/* Files as words: names, sizes, types, and what a model takes of them. Pure. */

import { visible } from "./words.js";

/** Pictures that a browser draws and that are nothing else; an SVG is a document. */
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const TEXTS = new Set(["application/json", "application/xml", "application/yaml"]);
/** What a browser calls files whose bytes tell their type; of others the server finds it out. */
const TOLD = /^(?:image\/(?!svg)|audio\/|video\/|application\/(?:pdf|zip)$)/;

/** @param {string | undefined} type */
export const isPicture = (type) => PICTURES.has(type ?? "");

/** @param {string} type */
const isText = (type) => type.startsWith("text/") || TEXTS.has(type);

/** @param {any} file */
export const nameOf = (file) => String(file.name || file.file_id || file.url || "file");

/** Its name on a disk: what reorders or hides a name is left out. @param {any} file */
export const diskNameOf = (file) =>
  visible(nameOf(file)).replace(/⟨U\+[0-9A-F]+⟩|[/\\]/g, "_");

const UNITS = ["bytes", "KiB", "MiB", "GiB"];

/** Such as `1.4 MiB`. @param {number} count */
export function bytes(count) {
  const power = Math.min(3, count ? Math.floor(Math.log2(count) / 10) : 0);
  const value = count / 1024 ** power;
  return `${power && value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ${UNITS[power]}`;
}

/** An address on the web, or null. @param {any} text */
export function addressOf(text) {
  const url = URL.parse(String(text ?? ""));
  if (!url || !["http:", "https:"].includes(url.protocol) || url.username || url.password) {
    return null;
  }
  return { href: url.href, host: url.host };
}

/**
 * Whether a text that was copied together with files is a text of its own: office programs add a
 * picture of it, and systems give the names or paths of copied files.
 * @param {string} text
 * @param {string[]} names Of the files.
 */
export const isOwnText = (text, names) =>
  text
    .split(/[\r\n]+/)
    .some((line) => line.trim() !== "" && !names.some((name) => line.endsWith(name)));

/** What the types are called. @param {string[]} types */
const kindsOf = (types) =>
  [...types.map((type) => type.slice(type.indexOf("/") + 1).toUpperCase()).sort(), "texts"].join(
    ", ",
  );

/** What may be attached, in words. @param {any} limits */
export const inWords = (limits) =>
  `${kindsOf(limits.types)}; a file has at most ${bytes(limits.max_bytes)}, ` +
  `a text ${bytes(limits.max_text_bytes)}.`;

/**
 * Why a file can't be sent, before or after its upload; empty if it can.
 * @param {{size: number, type: string, uploaded: boolean}} file `type`: what the browser says, or
 *   what the server has found.
 * @param {any} limits
 */
export function refusalOf({ size, type, uploaded }, limits) {
  if (!size) return "is empty";
  if (size > limits.max_bytes) {
    return `has ${bytes(size)}; a file has at most ${bytes(limits.max_bytes)}`;
  }
  const taken = limits.types.includes(type);
  if (uploaded ? !taken && !isText(type) : TOLD.test(type) && !taken) {
    return `is ${type}; the model takes ${kindsOf(limits.types)}`;
  }
  if (isText(type) && size > limits.max_text_bytes) {
    return `is a text of ${bytes(size)}; a model is given at most ${bytes(limits.max_text_bytes)}`;
  }
  return "";
}

/**
 * With which type a file is uploaded: what its bytes don't tell is left to the server.
 * @param {string} type What the browser says.
 */
export const claimOf = (type) => (isText(type.split(";")[0]) ? type : "");
