/* Text of models and tools as elements: Markdown, JSON, plain text. Never HTML. */
import { Fragment, h } from "../vendor/preact.js";
import { blocksOf, parseBlock } from "../model/markdown.js";
import { visible } from "../model/words.js";
import {
  a,
  code,
  div,
  em,
  h3,
  li,
  memo,
  p,
  pre,
  span,
  strong,
  summary,
  table,
  tbody,
  td,
  th,
  thead,
  tr,
  ul,
} from "./elements.js";

const MAX_CHARS = 20_000;
const MAX_DEPTH = 40;
const FOLDED_LINES = 20;

/** @param {import("../model/markdown.js").Node} node @returns {any} */
function part(node) {
  const inner = () => node.children?.map(part);
  switch (node.kind) {
    case "code":
      return code(null, node.text);
    case "strong":
      return strong(null, inner());
    case "em":
      return em(null, node.text);
    case "break":
      return h("br", null);
    case "link":
      return a(
        { href: node.href, target: "_blank", rel: "noopener noreferrer nofollow" },
        inner(),
        span({ class: "host" }, node.text),
      );
    default:
      return node.text;
  }
}

/** @param {import("../model/markdown.js").Block} block @returns {any} */
function shown(block) {
  const inner = () => block.children?.map(part);
  const items = () => block.items?.map((item) => li(null, item.map(part)));
  switch (block.kind) {
    case "code":
      return pre({ class: "out" }, block.text);
    case "heading":
      return h3({ class: "heading" }, inner());
    case "quote":
      return h("blockquote", null, inner());
    case "list":
      return ul(null, items());
    case "numbers":
      return h("ol", null, items());
    case "table":
      return grid(block.rows ?? []);
    default:
      return p(null, inner());
  }
}

/** @param {import("../model/markdown.js").Node[][][]} rows */
const grid = ([head, ...rows]) =>
  div(
    { class: "scroll-x" },
    table(
      { class: "md" },
      thead(
        null,
        tr(
          null,
          head.map((cell) => th(null, cell.map(part))),
        ),
      ),
      tbody(
        null,
        rows.map((row) =>
          tr(
            null,
            row.map((cell) => td(null, cell.map(part))),
          ),
        ),
      ),
    ),
  );

const Block = memo((/** @type {{source: string}} */ { source }) =>
  h(Fragment, null, parseBlock(source).map(shown)),
);

/**
 * Markdown; only blocks whose source has changed are read again.
 * @param {{text: string, live?: boolean}} props
 */
export const Markdown = memo((/** @type {{text: string, live?: boolean}} */ { text, live }) =>
  div(
    { class: live ? "say live" : "say" },
    blocksOf(text).map((source, at) => h(Block, /** @type {any} */ ({ key: at, source }))),
  ),
);

/** @param {any} value @param {number} depth @returns {any[]} */
function coloured(value, depth) {
  if (typeof value === "string") return [span({ class: "js-s" }, visible(JSON.stringify(value)))];
  if (value === null || typeof value !== "object") {
    return [span({ class: "js-n" }, String(value))];
  }
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const entries = Object.entries(value);
  if (!entries.length) return [open + close];
  if (depth >= MAX_DEPTH) return [`${open}…${close}`];
  const pad = "  ".repeat(depth);
  const lines = entries.flatMap(([name, inner], at) => [
    `${at ? "," : ""}\n${pad}  `,
    ...(Array.isArray(value) ? [] : [span({ class: "js-k" }, visible(name)), ": "]),
    ...coloured(inner, depth + 1),
  ]);
  return [open, ...lines, `\n${pad}${close}`];
}

/** A value as coloured JSON. @param {any} value */
export const json = (value) => pre({ class: "out" }, coloured(value, 0));

/** @param {string} text @returns {any} An object or a list; undefined for anything else. */
function parsed(text) {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Output of a tool: JSON coloured, long text folded. */
export const Output = memo((/** @type {{text: string}} */ { text }) => {
  const value = text.length <= MAX_CHARS ? parsed(text) : undefined;
  if (value !== undefined) return json(value);
  const lines = text.split("\n");
  const short = lines.slice(0, FOLDED_LINES).join("\n").slice(0, MAX_CHARS);
  if (short.length === text.length) return pre({ class: "out" }, visible(text));
  return h(
    "details",
    { class: "folded" },
    summary(null, pre({ class: "out" }, `${visible(short)}…`), span(null, more(text, lines))),
    pre({ class: "out whole" }, visible(text)),
  );
});

/** @param {string} text @param {string[]} lines */
const more = (text, lines) =>
  lines.length > FOLDED_LINES ? `all ${lines.length} lines` : `all ${text.length} characters`;
