/* Times, numbers and short forms as people read them. Pure. */

/** Milliseconds as a duration. @param {number} ms */
export function duration(ms) {
  const t = Math.max(0, ms);
  if (t < 950) return `${Math.round(t)} ms`;
  if (t < 59_500) return `${(t / 1000).toFixed(t < 9950 ? 1 : 0)} s`;
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (t < 3_600_000) return `${Math.floor(t / 60_000)} m ${two(Math.floor(t / 1000) % 60)} s`;
  const hours = Math.floor(t / 3_600_000);
  if (hours < 48) return `${hours} h ${two(Math.floor(t / 60_000) % 60)} m`;
  return `${Math.floor(hours / 24)} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
}

/** How long ago, given the milliseconds since then. @param {number} ms */
export function ago(ms) {
  if (ms < 5000) return "now";
  if (ms < 60_000) return `${Math.round(ms / 1000)} s ago`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} m ago`;
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h ago`;
  return `${Math.round(ms / 86_400_000)} d ago`;
}

/** A whole number with thin spaces between thousands. @param {number} n */
export const number = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, "\u2009");

/** Why a figure is missing. */
export const LATER = "counted when a step has ended";

/**
 * The tokens of a run, null while its first step has not said how many it took.
 * @param {{input_tokens: number, output_tokens: number}} usage
 * @param {boolean} open
 */
export function tokensOf(usage, open) {
  const tokens = usage.input_tokens + usage.output_tokens;
  return tokens || !open ? tokens : null;
}

/** A smaller amount is not shown in digits. */
const LEAST = 0.0001;

/**
 * Money as the API has it, in at most four digits after the point.
 * @param {{amount: string, estimated?: boolean} | null | undefined} cost
 */
export function money(cost) {
  if (!cost) return "";
  const amount = Number(cost.amount);
  if (amount > 0 && amount < LEAST) return `< $${LEAST}`;
  const digits = amount >= 1 || amount === 0 ? 2 : amount >= 0.01 ? 3 : 4;
  return `${cost.estimated ? "≈ " : ""}$${amount.toFixed(digits)}`;
}

/**
 * The same with every digit.
 * @param {{amount: string, estimated?: boolean} | null | undefined} cost
 */
export const exactly = (cost) =>
  cost ? `${cost.estimated ? "≈ " : ""}$${cost.amount}` : undefined;

/** @param {string} id */
export const shortId = (id) => (id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id);

/** Arguments in one line. @param {any} args */
export function brief(args) {
  const parts = Object.entries(args ?? {}).map(([name, value]) => `${name}=${plain(value)}`);
  return visible(parts.join("  ").slice(0, 400));
}

/**
 * True for a whole number that JSON may have written with other digits.
 * @param {unknown} value
 */
export const isRounded = (value) => Number.isInteger(value) && !Number.isSafeInteger(value);

/** @param {any} value */
function plain(value) {
  if (isRounded(value)) return `≈ ${value}`;
  try {
    return typeof value === "string" ? value : JSON.stringify(value);
  } catch {
    return "…"; // nested too deeply for one line
  }
}

/** Characters that reorder, hide or break a line of text, and what is shown in their place. */
const HIDDEN = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e" +
    "\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}]",
  "gu",
);

/** The text with its hidden characters shown by their code. @param {string} text */
export const visible = (text) => text.replace(HIDDEN, (one) => `⟨U+${codeOf(one)}⟩`);

/** @param {string} one */
const codeOf = (one) => (one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");

/** The time of day in UTC. @param {string | number} at */
export const clock = (at) => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** The text between single quotes, as a shell reads it. @param {string} text */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
