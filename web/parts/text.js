/* Text of models and tools as elements: Markdown, JSON, plain text. Never HTML. */
import { Fragment, h } from "../vendor/preact.js";
import { blocksOf, parseBlock } from "../model/markdown.js";
import { isRounded, visible } from "../model/words.js";
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
/** Longer text is shown as it is: to read so much as Markdown would hold the page up. */
const MAX_MARKDOWN = 100_000;
const MAX_INDENT = 20;
const TOKEN = /"(?:[^"\\]|\\.)*"|[^\s"[\]{},:]+|[[\]{},:]/g;
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
    text.length > MAX_MARKDOWN
      ? h(Output, { text })
      : blocksOf(text).map((source, at) => h(Block, /** @type {any} */ ({ key: at, source }))),
  ),
);

/**
 * A JSON document in colours, on lines of its own; nothing that it says is changed.
 * @param {string} text
 * @param {boolean} [parsed] It was parsed before, so that long whole numbers are rounded.
 */
function coloured(text, parsed = false) {
  const tokens = text.match(TOKEN) ?? [];
  let depth = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, MAX_INDENT))}`;
  return tokens.map((token, at) => {
    const next = tokens[at + 1];
    if (token === "[" || token === "{") {
      depth += 1;
      return next === "]" || next === "}" ? token : token + line();
    }
    if (token === "]" || token === "}") {
      depth -= 1;
      return tokens[at - 1] === "[" || tokens[at - 1] === "{" ? token : line() + token;
    }
    if (token === ",") return token + line();
    if (token === ":") return ": ";
    if (!token.startsWith('"')) {
      return span({ class: "js-n" }, parsed ? number(Number(token), token) : token);
    }
    const said = JSON.parse(token);
    const name = next === ":" && /^[\w.-]+$/.test(said);
    const shown = name ? said : visible(JSON.stringify(said));
    return span({ class: next === ":" ? "js-k" : "js-s" }, shown);
  });
}

/** @param {number} value @param {string} token */
const number = (value, token) => (isRounded(value) ? `≈ ${token}` : token);

/** A value as coloured JSON. @param {any} value */
export const json = (value) => pre({ class: "out" }, coloured(JSON.stringify(value), true));

/** True for an object or a list as JSON. @param {string} text */
function isJson(text) {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Output of a tool: JSON coloured, long text folded. */
export const Output = memo((/** @type {{text: string}} */ { text }) => {
  if (text.length <= MAX_CHARS && isJson(text)) return pre({ class: "out" }, coloured(text));
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
