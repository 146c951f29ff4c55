/* An answer that is JSON, as a form and tables. Loaded with the first one; never HTML. */
import { h } from "../vendor/preact.js";
import { isRounded, visible } from "../model/words.js";
import { div, em, li, memo, span, table, tbody, td, th, thead, tr, ul } from "./elements.js";
import { Output, json } from "./output.js";

const MAX_CHARS = 100_000;
const MAX_ROWS = 200;
const MAX_DEPTH = 4;

/** @param {any} value */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {any} value @param {number} depth @returns {any} */
function shown(value, depth) {
  if (value === null || value === "") return em(null, "—");
  if (typeof value === "string") return span({ class: "as-is" }, visible(value));
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "object") return isRounded(value) ? `≈ ${value}` : String(value);
  const all = Array.isArray(value) ? value : Object.keys(value);
  if (!all.length) return em(null, "—");
  if (depth > MAX_DEPTH || all.length > MAX_ROWS) return json(value);
  if (!Array.isArray(value)) return form(value, depth);
  if (value.every(isObject)) return rows(value, depth);
  return ul(
    null,
    value.map((item) => li(null, shown(item, depth + 1))),
  );
}

/** A field a line. @param {any} value @param {number} depth */
const form = (value, depth) =>
  table(
    { class: "md" },
    tbody(
      null,
      Object.entries(value).map(([name, of]) =>
        tr(null, th({ scope: "row" }, visible(name)), td(null, shown(of, depth + 1))),
      ),
    ),
  );

/** An object a line. @param {any[]} values @param {number} depth */
function rows(values, depth) {
  const names = [...new Set(values.flatMap((value) => Object.keys(value)))];
  if (names.length > MAX_ROWS) return json(values);
  return table(
    { class: "md" },
    thead(
      null,
      tr(
        null,
        names.map((name) => th({ scope: "col" }, visible(name))),
      ),
    ),
    tbody(
      null,
      values.map((value) =>
        tr(
          null,
          names.map((name) => td(null, name in value ? shown(value[name], depth + 1) : "")),
        ),
      ),
    ),
  );
}

/** The answer; what is too large for a form is shown as JSON. */
export const Answer = memo((/** @type {{text: string}} */ { text }) =>
  div(
    { class: "say" },
    text.length > MAX_CHARS
      ? h(Output, { text })
      : div({ class: "scroll-x" }, shown(JSON.parse(text), 0)),
  ),
);
