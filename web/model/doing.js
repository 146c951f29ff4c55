/* What a run in a list does, what it needs, or what came of it. Pure. */
import { isOpen } from "./listing.js";
import { duration, visible } from "./words.js";

/** @type {Record<string, string>} */
const ASKS = { approval: "approve", limit: "limit", input: "asks", resume: "paused" };
const DOES = /** @type {Record<string, string>} */ ({
  model: "writing",
  tool: "tool",
  queue: "queued",
});
/** How a run has ended that says nothing of it. @type {Record<string, string>} */
const ENDS = { completed: "done", timed_out: "timed out" };

/**
 * What a run does, what it needs or what came of it.
 * @param {any} run
 * @param {number} now As ms.
 * @returns {[string, string, string]} A tone, a word, and what about it.
 */
export function doing(run, now) {
  const what = visible(run.now?.what ?? "");
  const [first, ...others] = run.waiting_for;
  if (run.attention) return ["wait", "stuck", run.attention];
  if (run.status === "paused") return ["pause", "paused", "until somebody resumes it"];
  if (first) {
    const more = others.length ? ` and ${others.length} more` : "";
    return ["wait", ASKS[first.kind] ?? first.kind, visible(first.what) + more];
  }
  if (run.error) return ["fail", run.error.type, visible(run.error.message)];
  if (run.status === "scheduled") return ["quiet", "starts", `in ${until(run.start_at, now)}`];
  if (run.status === "idle") {
    const failed = run.now?.kind === "error";
    return [failed ? "fail" : "quiet", failed ? "failed" : "idle", what];
  }
  if (!isOpen(run)) return outcome(run, what);
  const [, from] = run.line?.at(-1) ?? [];
  const began = Date.parse(run.created_at) + from;
  const since = from === undefined ? "" : `for ${duration(now - began)}`;
  return ["run", DOES[run.now?.kind] ?? run.status, [since, what].filter(Boolean).join(" · ")];
}

/** @param {any} run @param {string} what @returns {[string, string, string]} */
function outcome(run, what) {
  if (run.status === "completed") return what ? ["", "", what] : ["quiet", "no text", ""];
  const step = run.step ? `in step ${run.step}` : "before its first step";
  const tone = run.status === "cancelled" ? "quiet" : "fail";
  return [tone, ENDS[run.status] ?? run.status, step];
}

/** @param {string | null} at @param {number} now */
const until = (at, now) => (at ? duration(Date.parse(at) - now) : "a while");
