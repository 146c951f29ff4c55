/* Where a run's time went: rows of segments, and an axis that folds what nobody worked in. Pure. */

/**
 * @typedef {object} Segment As ms since the start.
 * @property {number} from
 * @property {number | null} to null: it is still open.
 * @property {"model" | "tool" | "wait" | "pause" | "fail" | "void" | "gap" | "queue"} kind
 * @property {string} note
 * @typedef {object} Row
 * @property {string} key Of the part of the transcript that it is about.
 * @property {string} label
 * @property {string} sub
 * @property {string} kind
 * @property {number} depth
 * @property {Segment[]} segments In order, at least one.
 */

/**
 * @param {Segment["kind"]} kind
 * @param {number} from
 * @param {number | null} to
 * @param {string} note
 */
const segment = (kind, from, to, note) => ({ kind, from, to, note });

/**
 * One row per step, tool call and wait, in the order of the transcript.
 * @param {import("./run.js").Run} run
 * @returns {Row[]}
 */
export function rowsOf(run) {
  const start = run.firstAt ?? 0;
  const since = (/** @type {number} */ at) => at - start;
  const found = queued(run);
  for (const { kind, id, at, data } of run.items) {
    const to = data.end ? since(data.end) : null;
    if (kind === "step") found.push(...stepRows(run, data.step, since));
    else if (kind === "ask") {
      const label = data.kind === "approval" ? "approval" : "question";
      const segments = [segment("wait", since(at), to, "waits for you")];
      found.push({ key: id, label, sub: data.tool ?? "", kind: "wait", depth: 1, segments });
    } else if (kind === "pause") {
      const segments = [segment("pause", since(at), to, "paused")];
      found.push({
        key: id,
        label: "paused",
        sub: data.by ?? "",
        kind: "pause",
        depth: 0,
        segments,
      });
    }
  }
  return found;
}

/** @param {import("./run.js").Run} run @returns {Row[]} */
function queued(run) {
  const until = run.startedAt === null ? null : run.startedAt - (run.firstAt ?? 0);
  if (run.firstAt === null || (until !== null && until < 5)) return [];
  const segments = [segment("queue", 0, until, "queued")];
  return [{ key: "queued", label: "queued", sub: "", kind: "queue", depth: 0, segments }];
}

/**
 * @param {import("./run.js").Run} run
 * @param {number} number
 * @param {(at: number) => number} since
 */
function stepRows(run, number, since) {
  const step = run.steps.get(number);
  if (!step) return [];
  /** @type {Segment[]} */
  const segments = [];
  for (const gone of step.voids) {
    const failed = gone.failedAt ?? gone.at;
    segments.push(segment("void", since(gone.from), since(failed), gone.reason));
    if (gone.at > failed) segments.push(segment("gap", since(failed), since(gone.at), "back-off"));
  }
  const to = step.endedAt === null ? null : since(step.endedAt);
  const failing = step.failure ? "fail" : "model";
  segments.push(segment(failing, since(step.attemptAt), to, `attempt ${step.attempt}`));
  const label = `Step ${number}`;
  const row = { key: `step-${number}`, label, sub: step.model, kind: "model", depth: 0, segments };
  return [row, ...step.calls.flatMap((id) => callRow(run.tools.get(id), since))];
}

/** @param {any} tool @param {(at: number) => number} since @returns {Row[]} */
function callRow(tool, since) {
  if (!tool?.attempts.length) return [];
  const segments = tool.attempts.flatMap((/** @type {any} */ one, /** @type {number} */ at) => {
    const to = one.endedAt === null ? null : since(one.endedAt);
    const kind = one.error === null ? (tool.state === "cancelled" ? "void" : "tool") : "fail";
    const next = tool.attempts[at + 1];
    const here = segment(kind, since(one.at), to, one.error ?? `attempt ${one.attempt}`);
    if (!next) return [here];
    const until = since(next.at);
    return [{ ...here, to: to ?? until }, segment("gap", to ?? until, until, "tried again")];
  });
  const row = { key: tool.callId, label: tool.name, sub: "", kind: "tool", depth: 1, segments };
  return [row];
}

const WORK = new Set(["model", "tool", "fail", "void", "queue"]);
/** A fold takes so much of what is shown. */
const FOLD_SHARE = 0.12;
const BEFORE_MS = 600;
const AFTER_MS = 300;

/**
 * An axis on which stretches without work take a fixed width.
 * @param {Row[]} rows
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
  const row = { key: "", label: "", sub: "", kind: "", depth: 0, segments };
  const axis = axisOf([row], last);
  return segments.map(({ kind, from, to }) => {
    const left = axis.x(from);
    return { kind, left, width: axis.x(to ?? last) - left, open: to === null };
  });
}

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
