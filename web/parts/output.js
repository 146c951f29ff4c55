/* What tools are given and return, as elements: JSON in colours, plain text. Never HTML. */
import { h } from "../vendor/preact.js";
import { isRounded, visible } from "../model/words.js";
import { memo, pre, span, summary } from "./elements.js";

const MAX_CHARS = 20_000;
const MAX_INDENT = 20;
const TOKEN = /"(?:[^"\\]|\\.)*"|[^\s"[\]{},:]+|[[\]{},:]/g;
const FOLDED_LINES = 20;

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
