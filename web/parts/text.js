/* Text of models as elements. Never HTML. */
import { Fragment, h } from "../vendor/preact.js";
import { blocksOf, parseBlock } from "../model/markdown.js";
import { lazy } from "./lazy.js";
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
  table,
  tbody,
  td,
  th,
  thead,
  tr,
  ul,
} from "./elements.js";

/** Longer text is shown as it is: to read so much as Markdown would hold the page up. */
const MAX_MARKDOWN = 100_000;
const Output = lazy(async () => (await import("./output.js")).Output);

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
