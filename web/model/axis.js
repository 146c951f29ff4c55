/* The axis of a run's time, which folds what nobody worked in. Pure. */

/**
 * @typedef {object} Segment As ms since the start.
 * @property {number} from
 * @property {number | null} to null: it is still open.
 * @property {"model" | "tool" | "wait" | "pause" | "fail" | "void" | "gap" | "queue"} kind
 * @property {string} note
 */

/**
 * @param {Segment["kind"]} kind
 * @param {number} from
 * @param {number | null} to
 * @param {string} note
 */
export const segment = (kind, from, to, note) => ({ kind, from, to, note });

const WORK = new Set(["model", "tool", "fail", "void", "queue"]);
/** A fold takes so much of what is shown. */
const FOLD_SHARE = 0.12;
const BEFORE_MS = 600;
const AFTER_MS = 300;

/**
 * An axis on which stretches without work take a fixed width.
 * @param {{segments: Segment[]}[]} rows
 * @param {number} end As ms since the start.
 * @param {number} [fold] Shorter stretches are shown as they are.
 * @returns {{x: (at: number) => number, folds: [number, number][], shown: number}} `x` is in
 *   percent, `shown` is what is not folded, in ms.
 */
export function axisOf(rows, end, fold = 20_000) {
  const busy = rows
    .flatMap((row) => row.segments.filter((it) => WORK.has(it.kind)))
    .map((it) => /** @type {[number, number]} */ ([it.from, it.to ?? end]))
    .sort((one, other) => one[0] - other[0]);
  /** @type {[number, number][]} */
  const folds = [];
  let reach = 0;
  for (const [from, to] of [...busy, /** @type {[number, number]} */ ([end, end])]) {
    if (from - reach > fold) folds.push([reach + BEFORE_MS, from - AFTER_MS]);
    reach = Math.max(reach, to);
  }
  const shown = Math.max(1, end - folds.reduce((sum, [from, to]) => sum + to - from, 0));
  const width = folds.length ? shown * FOLD_SHARE : 0;
  const whole = shown + width * folds.length;
  const x = (/** @type {number} */ at) => {
    let place = at;
    for (const [from, to] of folds) {
      if (at >= to) place += width - (to - from);
      else if (at > from) place += ((at - from) / (to - from)) * width - (at - from);
    }
    return (place / whole) * 100;
  };
  return { x, folds, shown };
}

/**
 * The line of a run as a list tells it, placed: in percent, with long waits folded.
 * @param {[Segment["kind"], number, number | null][]} line
 * @param {number} end As ms since the start.
 */
export function stripOf(line, end) {
  const last = Math.max(1, end, ...line.map(([, from, to]) => to ?? from));
  const segments = line.map(([kind, from, to]) => segment(kind, from, to, kind));
  const axis = axisOf([{ segments }], last);
  return segments.map(({ kind, from, to }) => {
    const left = axis.x(from);
    return { kind, left, width: axis.x(to ?? last) - left, open: to === null };
  });
}

/** Half a percent of a line of 160 pixels can't be seen. @param {number} percent */
const seen = (percent) => Math.round(percent * 2) / 2;

/**
 * The same as a text, which is another one only when that can be seen: a bar on each line, with its
 * kind, left, width, and `open`.
 * @param {[Segment["kind"], number, number | null][]} line
 * @param {number} end As ms since the start.
 */
export const barsOf = (line, end) =>
  stripOf(line, end)
    .map(({ kind, left, width, open }) =>
      [kind, seen(left), Math.max(0.5, seen(width)), open ? "open" : ""].join(" "),
    )
    .join("\n");

const UNITS = [100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000];

/** Round times for the axis, at most about six. @param {ReturnType<typeof axisOf>} axis */
export function ticksOf(axis, /** @type {number} */ end) {
  const unit = UNITS.find((it) => axis.shown / it <= 6) ?? Math.ceil(axis.shown / 6);
  const found = [];
  for (let at = 0; at <= end; at += unit) {
    const fold = axis.folds.find(([from, to]) => at > from - unit * 0.7 && at < to + unit * 0.7);
    if (!fold && (at === 0 || axis.x(at) < 97)) found.push(at);
    if (fold && at < fold[1]) at = Math.floor(fold[1] / unit) * unit;
  }
  return found;
}
