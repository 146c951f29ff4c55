/* Where a run's time went: rows of segments, for the axis. Pure. */
import { segment } from "./axis.js";
import { brief } from "./words.js";

/**
 * @typedef {import("./axis.js").Segment} Segment
 * @typedef {object} Row
 * @property {string} key Of the part of the transcript that it is about.
 * @property {string} label
 * @property {string} sub
 * @property {string} kind
 * @property {number} depth
 * @property {Segment[]} segments In order, at least one.
 */

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
  const sub = brief(tool.arguments);
  return [{ key: tool.callId, label: tool.name, sub, kind: "tool", depth: 1, segments }];
}
