/* A small part of Markdown as a tree: nothing is ever read as HTML. Pure, and linear in time. */

/**
 * @typedef {{kind: string, text?: string, children?: Node[], href?: string}} Node
 * @typedef {object} Block
 * @property {string} kind
 * @property {Node[]} [children]
 * @property {Node[][]} [items] Of a list.
 * @property {Node[][][]} [rows] Of a table; the first is its head.
 * @property {string} [text] Of code.
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^#{1,6} +(.*)$/;
const QUOTE = /^>( |$)/;
const ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)]) +(.*)$/;
const NUMBERED = /^ {0,3}\d/;
const RULE = /^[ |:-]+$/;
/** A larger table is shown as it is written. */
const MAX_CELLS = 5000;
// What stands between marks has a bound, so that many open marks cost no more than a long text.
const CODE = /`([^`\n]{1,1000})`/;
const STRONG = /\*\*(?=\S)([^*]{1,1000}?)\*\*/;
const EM = /(?<![\w*])\*(?=\S)([^*\n]{1,500}?)\*(?!\w)/;
const LINK = /\[([^\]\n]{1,300})\]\(([^()\s]{1,2000})\)/;
const INLINE = new RegExp([CODE, STRONG, EM, LINK].map((it) => it.source).join("|"), "g");

/** The mark that opens code there; empty if none does. @param {string} line */
const fenceOf = (line) => FENCE.exec(line)?.[1] ?? "";

/** @param {string} line @param {string} fence */
const closes = (line, fence) => line.trim().startsWith(fence) && line.trim() === fenceOf(line);

/** The source of each block: what is before the last one does not change as text is appended. */
export function blocksOf(/** @type {string} */ text) {
  const found = [];
  /** @type {string[]} */
  let lines = [];
  let fence = "";
  for (const line of text.split("\n")) {
    const within = fence !== "";
    if (within && closes(line, fence)) fence = "";
    else if (!within) fence = fenceOf(line);
    if (!within && !fence && line.trim() === "") {
      if (lines.length) found.push(lines.join("\n"));
      lines = [];
    } else lines.push(line);
  }
  if (lines.length) found.push(lines.join("\n"));
  return found;
}

/** @param {string} source One of `blocksOf`. @returns {Block[]} */
export function parseBlock(source) {
  const lines = source.split("\n");
  /** @type {Block[]} */
  const found = [];
  let at = 0;
  while (at < lines.length) at = taken(lines, at, found);
  return found;
}

/**
 * Read what begins in that line; the line after it.
 * @param {string[]} lines
 * @param {number} at
 * @param {Block[]} found
 */
function taken(lines, at, found) {
  const line = lines[at];
  const fence = fenceOf(line);
  const heading = HEADING.exec(line);
  if (fence) {
    const end = until(lines, at + 1, (it) => closes(it, fence));
    found.push({ kind: "code", text: lines.slice(at + 1, end).join("\n") });
    return end + 1;
  }
  if (line.includes("|") && isRule(lines[at + 1] ?? "")) {
    const end = until(lines, at + 2, (it) => !it.includes("|"));
    const rows = [line, ...lines.slice(at + 2, end)].map(cells);
    const many = rows.reduce((sum, row) => sum + row.length, 0) > MAX_CELLS;
    const text = lines.slice(at, end).join("\n");
    found.push(many ? { kind: "code", text } : { kind: "table", rows });
    return end;
  }
  if (QUOTE.test(line)) {
    const end = until(lines, at, (it) => !QUOTE.test(it));
    const said = lines.slice(at, end).map((it) => it.slice(2));
    found.push({ kind: "quote", children: inline(said.join("\n")) });
    return end;
  }
  if (heading) found.push({ kind: "heading", children: inline(heading[1]) });
  else addLine(line, found);
  return at + 1;
}

/** @param {string[]} lines @param {number} from @param {(line: string) => boolean} ends */
function until(lines, from, ends) {
  let end = from;
  while (end < lines.length && !ends(lines[end])) end += 1;
  return end;
}

/** @param {string} line */
const isRule = (line) => line.includes("|") && line.includes("-") && RULE.test(line);

/** @param {string} line */
const cells = (line) =>
  line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => inline(cell.trim()));

/** A line of a list or of a paragraph. @param {string} line @param {Block[]} found */
function addLine(line, found) {
  const item = ITEM.exec(line);
  const last = found.at(-1);
  if (item) {
    const kind = NUMBERED.test(line) ? "numbers" : "list";
    if (last?.kind === kind) last.items?.push(inline(item[1]));
    else found.push({ kind, items: [inline(item[1])] });
  } else if (last?.items && line.startsWith("  ")) {
    last.items.at(-1)?.push({ kind: "break" }, ...inline(line.trim()));
  } else if (last?.kind === "paragraph") {
    last.children?.push({ kind: "break" }, ...inline(line));
  } else found.push({ kind: "paragraph", children: inline(line) });
}

/** @param {string} text @returns {Node[]} */
export function inline(text) {
  /** @type {Node[]} */
  const found = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) found.push({ kind: "text", text: text.slice(from, match.index) });
    from = match.index + match[0].length;
    const [whole, code, strong, em, label, href] = match;
    if (code !== undefined) found.push({ kind: "code", text: code });
    else if (strong !== undefined) found.push({ kind: "strong", children: inline(strong) });
    else if (em !== undefined) found.push({ kind: "em", text: em });
    else found.push(link(label, href) ?? { kind: "text", text: whole });
  }
  if (from < text.length) found.push({ kind: "text", text: text.slice(from) });
  return found;
}

/**
 * A link to the web; null for any other: it stays text.
 * @param {string} label
 * @param {string} href
 * @returns {Node | null}
 */
function link(label, href) {
  if (!/^https?:\/\//i.test(href)) return null;
  try {
    const url = new URL(href);
    return { kind: "link", children: inline(label), href: url.href, text: url.host };
  } catch {
    return null;
  }
}
