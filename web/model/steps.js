/* One model call and one tool call as a person sees them: as projections/steps. Pure. */

/** @type {Record<string, string>} */
export const TOOL_STATES = {
  "tool.started": "running",
  "tool.progress": "running",
  "tool.completed": "completed",
  "tool.failed": "failed",
  "tool.cancelled": "cancelled",
  "tool.abandoned": "abandoned",
};
const ENDED = new Set(["completed", "failed", "cancelled", "abandoned"]);
const NO_USAGE = { input_tokens: 0, output_tokens: 0 };

/**
 * @typedef {object} Step
 * @property {number} step
 * @property {number} attempt The attempt whose text this is; what a lower one streamed is void.
 * @property {string} text
 * @property {string} reasoning
 * @property {boolean} ended
 * @property {boolean} interrupted
 * @property {string | null} finish
 * @property {boolean} json The text is JSON that was asked for.
 * @property {any} usage
 * @property {number} seq Of the event that made this version.
 * @property {number} from `seq` of its first event.
 * @property {string} model
 * @property {number} at When it began, as ms.
 * @property {number | null} endedAt
 * @property {number} attemptAt When the attempt whose text this is began.
 * @property {number | null} textAt When its first text came.
 * @property {string[]} calls Ids of the tool calls that it asked for.
 * @property {any[]} voids Attempts that are void: `{attempt, text, reason, from, failedAt, at}`,
 *   and `seqs` from and to, where only these are known of their text.
 * @property {any} failure The newest failed attempt, until something else happens.
 */

/** @param {number} number @param {any} event @returns {Step} */
const newStep = (number, event) => ({
  step: number,
  attempt: 1,
  text: "",
  reasoning: "",
  ended: false,
  interrupted: false,
  finish: null,
  json: false,
  usage: NO_USAGE,
  seq: event.seq,
  from: event.seq,
  model: event.data.model ?? "",
  at: Date.parse(event.at),
  endedAt: null,
  attemptAt: Date.parse(event.at),
  textAt: null,
  calls: [],
  voids: [],
  failure: null,
});

/**
 * The step after one of its events; undefined if that changes nothing.
 * @param {number} number
 * @param {Step | undefined} old
 * @param {any} event
 * @returns {Step | undefined}
 */
export function stepEvent(number, old, event) {
  const ended = old?.ended ?? false;
  switch (event.type) {
    case "step.started":
      return { ...newStep(number, event), voids: old?.voids ?? [] };
    case "message.completed":
    case "message.interrupted":
      return message(old ?? newStep(number, event), event);
    case "attempt.superseded":
      return ended ? undefined : superseded(old ?? newStep(number, event), event);
    case "attempt.failed":
      return ended || !old ? undefined : { ...old, failure: { ...event.data, at: event.at } };
    case "model.fallback":
      return ended ? undefined : fallenBack(old ?? newStep(number, event), event);
    case "message.delta":
    case "reasoning.delta":
      return ended ? undefined : delta(old ?? newStep(number, event), event);
    default:
      return undefined;
  }
}

/** @param {Step} step @param {any} event */
function message(step, event) {
  const { text, finish_reason: finish, usage, tool_calls: calls } = event.data;
  return {
    ...step,
    text: String(text ?? ""),
    ended: true,
    interrupted: event.type === "message.interrupted",
    finish: String(finish ?? ""),
    json: event.data.output_type === "json",
    usage: { ...NO_USAGE, ...usage },
    seq: event.seq,
    endedAt: Date.parse(event.at),
    calls: (calls ?? []).map((/** @type {any} */ call) => call.call_id),
    failure: null,
  };
}

/** @param {Step} step @param {any} event */
function superseded(step, event) {
  const gone = event.data.attempt;
  if (!Number.isInteger(gone) || gone < step.attempt) return undefined;
  const { reason, from_seq: from, to_seq: to } = event.data;
  const left = dropped(step, reason ?? "", event.at, to >= from && from > 0 ? [from, to] : null);
  return { ...left, attempt: gone + 1, seq: event.seq };
}

/** The step as the next model takes it over. @param {Step} old @param {any} event */
function fallenBack(old, event) {
  const { from, to, reason } = event.data;
  const { attempt } = event;
  if (!Number.isInteger(attempt) || attempt < old.attempt) return undefined;
  const message = `${from} is unavailable, ${to} is asked. ${reason}`;
  const left = { ...old, attempt, failure: { error: { message }, at: event.at } };
  return { ...dropped(left, "", event.at), model: to, attempt: attempt + 1, seq: event.seq };
}

/**
 * The step without its text, which is kept as void.
 * @param {Step} step
 * @param {string} reason
 * @param {string} at
 * @param {number[] | null} [seqs] Where the text is, if it may have been left out.
 */
function dropped(step, reason, at, seqs = null) {
  const { attempt, text, failure, attemptAt: from } = step;
  const why = failure ? `${failure.error.message}` : reason;
  const failedAt = failure ? Date.parse(failure.at) : null;
  const gone = { attempt, text, reason: why, from, failedAt, at: Date.parse(at), seqs };
  const voids = text || failure || seqs ? [...step.voids, gone] : step.voids;
  const blank = { text: "", reasoning: "", textAt: null, failure: null };
  return { ...step, ...blank, voids, attemptAt: gone.at };
}

/** @param {Step} step @param {any} event */
function delta(step, event) {
  const attempt = event.attempt || 1;
  if (attempt < step.attempt) return undefined;
  const kept = attempt === step.attempt ? step : dropped(step, "a further attempt", event.at);
  const next = { ...kept, attempt, seq: event.seq, failure: null };
  const piece = String(event.data.text ?? "");
  if (event.type === "reasoning.delta") next.reasoning += piece;
  else {
    next.text += piece;
    next.textAt ??= Date.parse(event.at);
  }
  return next;
}

/** The step as it starts over after a reset. @param {Step} step @param {any} event */
export const restarted = (step, event) =>
  step.ended ? step : { ...newStep(step.step, event), model: step.model };

/**
 * @typedef {object} Tool
 * @property {string} callId
 * @property {string} name
 * @property {number} step
 * @property {any} arguments Those it gets; before it starts, those the model gave.
 * @property {any} asked What the model gave.
 * @property {string} state
 * @property {string} output What it returned, or why it failed.
 * @property {boolean} truncated
 * @property {any[]} files Pictures that it returned.
 * @property {string} progress
 * @property {number | null} fraction
 * @property {any[]} attempts `{attempt, at, endedAt, error}`.
 * @property {number} seq
 * @property {number} from `seq` of its first event; 0 before one.
 */

/** @param {string} callId @param {string} name @param {number} step @returns {Tool} */
const newTool = (callId, name, step) => ({
  callId,
  name,
  step,
  arguments: {},
  asked: null,
  state: "requested",
  output: "",
  truncated: false,
  files: [],
  progress: "",
  fraction: null,
  attempts: [],
  seq: 0,
  from: 0,
});

/** The call that a message asks for. @param {any} call @param {any} event */
export const requested = (call, event) => ({
  ...newTool(call.call_id, call.name, event.step ?? 0),
  arguments: call.arguments ?? {},
  asked: call.arguments ?? {},
  seq: event.seq,
});

/**
 * The tool call after one of its events.
 * @param {Tool | undefined} old
 * @param {any} event
 * @returns {Tool}
 */
export function toolEvent(old, event) {
  const data = event.data;
  const tool = old ?? newTool(String(data.call_id ?? ""), String(data.name ?? ""), event.step ?? 0);
  const given = data.arguments;
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  const retries = event.type === "tool.failed" && data.retryable;
  return {
    ...tool,
    name: data.name || tool.name,
    arguments: isObject ? given : tool.arguments,
    state: retries ? "retrying" : TOOL_STATES[event.type],
    output: String(data.output ?? data.error ?? ""),
    truncated: Boolean(data.truncated),
    files: data.files ?? tool.files,
    progress: String(data.message ?? tool.progress),
    fraction: data.fraction ?? null,
    attempts: attemptsAfter(tool.attempts, event),
    seq: event.seq,
    from: tool.from || event.seq,
  };
}

/** @param {any[]} attempts @param {any} event */
function attemptsAfter(attempts, event) {
  const at = Date.parse(event.at);
  if (event.type === "tool.started") {
    return [...attempts, { attempt: event.attempt ?? 1, at, endedAt: null, error: null }];
  }
  if (event.type === "tool.progress" || !attempts.length) return attempts;
  const error = event.type === "tool.failed" ? String(event.data.error ?? "") : null;
  return [...attempts.slice(0, -1), { ...attempts.at(-1), endedAt: at, error }];
}

/** The call as it starts over after a reset. @param {Tool} tool @param {any} event */
export const startedOver = (tool, event) =>
  ENDED.has(tool.state)
    ? tool
    : {
        ...newTool(tool.callId, tool.name, tool.step),
        arguments: tool.arguments,
        asked: tool.asked,
        seq: event.seq,
      };
