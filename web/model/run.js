/* Folds the events of a run into what the page shows: as projections/rendered. Pure. */
import { NOTES } from "./notes.js";
import { TOOL_STATES, requested, restarted, startedOver, stepEvent, toolEvent } from "./steps.js";
import { CLOSING, TERMINAL, applyWaits, noWaits, rewindWaits, statusOf } from "./waits.js";

/** Facts that end a step. */
const SETTLING = new Set(["message.completed", "message.interrupted"]);

/**
 * @typedef {object} Item A part of the transcript, in order.
 * @property {string} kind `user`, `step`, `ask`, `pause`, `command`, `note`, `turn` or `end`.
 * @property {string} id
 * @property {number} at As ms.
 * @property {number} turn Of a conversation; 0 in any other run.
 * @property {any} [data]
 */

/**
 * A run of which nothing is known yet.
 * @param {boolean} [lean] Keep no deltas of a step that has ended: its fact has the text.
 */
export const emptyRun = (lean = false) => ({
  seq: 0,
  lean,
  /** @type {any[]} Every event, also those that a reset has made void. */
  events: [],
  /** @type {any[]} Those that count. */
  counted: [],
  ...blank(),
});

/** @typedef {ReturnType<typeof emptyRun>} Run */

/** What follows from the events that count. */
const blank = () => ({
  waits: noWaits(),
  /** @type {Map<number, import("./steps.js").Step>} */
  steps: new Map(),
  /** @type {Map<string, import("./steps.js").Tool>} */
  tools: new Map(),
  /** @type {Map<string, {run_id: string, agent: string, status: string}>} By the call. */
  children: new Map(),
  /** @type {Item[]} */
  items: [],
  /** @type {Map<string, Item>} */
  byId: new Map(),
  /** @type {any} What `run.queued` and `run.started` say. */
  head: {},
  /** Of a conversation, the newest turn that a message has begun. */
  turn: 0,
  /** @type {string | null} */
  output: null,
  /** @type {any} */
  error: null,
  /** @type {any} */
  finalUsage: null,
  /** The last event of a past that it began with, which is none of its usage. */
  inheritedTo: 0,
  /** @type {number | null} */
  startedAt: null,
  /** @type {number | null} */
  firstAt: null,
  /** @type {number | null} */
  lastAt: null,
  /** @type {number | null} */
  endedAt: null,
});

/** @param {Run} run */
export const runStatus = (run) => statusOf(run.waits);

/** Take in events, in order; those that are in already change nothing. */
export function applyEvents(/** @type {Run} */ run, /** @type {any[]} */ events) {
  for (const event of events) {
    if (event.seq <= run.seq) continue;
    run.seq = event.seq;
    run.events.push(event);
    if (event.type === "run.rewound") rewind(run, event);
    else {
      run.counted.push(event);
      take(run, event);
      if (run.lean && SETTLING.has(event.type)) forgetDeltas(run, event.step);
    }
  }
  return run;
}

/** @param {Run} run @param {number} step */
function forgetDeltas(run, step) {
  const stays = (/** @type {any} */ it) => it.step !== step || !it.type.endsWith(".delta");
  run.events = run.events.filter(stays);
  run.counted = run.counted.filter(stays);
}

/** As it was at the event that the reset returns to, without what had not ended. */
function rewind(/** @type {Run} */ run, /** @type {any} */ event) {
  const counts = (/** @type {any} */ it) => it.seq <= event.data.to_seq || it.type === "run.queued";
  run.counted = [...run.counted.filter(counts), event];
  Object.assign(run, blank());
  for (const one of run.counted) {
    if (one.type === "run.rewound") startOver(run, one);
    else take(run, one);
  }
}

/** What had not ended starts over, and nothing is open. */
function startOver(/** @type {Run} */ run, /** @type {any} */ event) {
  for (const [number, step] of run.steps) run.steps.set(number, restarted(step, event));
  for (const [id, tool] of run.tools) run.tools.set(id, startedOver(tool, event));
  rewindWaits(run.waits);
  run.output = run.error = run.finalUsage = run.endedAt = null;
  run.items = run.items.filter((item) => item.kind !== "end" && item.data?.state !== "open");
  run.byId = new Map(run.items.map((item) => [item.id, item]));
  note(run, event, `Reset by an operator to event ${event.data.to_seq}`);
}

function take(/** @type {Run} */ run, /** @type {any} */ event) {
  run.lastAt = Date.parse(event.at);
  run.firstAt ??= run.lastAt;
  if (event.type in TOOL_STATES) {
    const id = String(event.data.call_id ?? "");
    run.tools.set(id, toolEvent(run.tools.get(id), event));
    return;
  }
  if (event.type in TERMINAL) end(run, event);
  applyWaits(run.waits, event);
  if (event.type in NOTES) note(run, event, NOTES[event.type](event.data));
  else if (event.type in BESIDE) BESIDE[event.type](run, event);
  else if (event.step !== null && event.step !== undefined) step(run, event.step, event);
}

function step(/** @type {Run} */ run, /** @type {number} */ number, /** @type {any} */ event) {
  const next = stepEvent(number, run.steps.get(number), event);
  if (!next) return;
  run.steps.set(number, next);
  if (!run.byId.has(`step-${number}`)) add(run, "step", `step-${number}`, event, { step: number });
  for (const call of event.data.tool_calls ?? []) {
    run.tools.set(call.call_id, requested(call, event));
  }
}

/** A run that has ended stays as it is, but for what a later terminal event says of its result. */
function end(/** @type {Run} */ run, /** @type {any} */ event) {
  run.output = event.data.output ?? null;
  run.error = event.data.error ?? null;
  run.finalUsage = event.data.usage ?? null;
  if (run.waits.ended) return;
  run.endedAt = Date.parse(event.at);
  for (const item of run.items) {
    if (item.data?.state === "open") change(run, item.id, { state: "closed", end: run.endedAt });
  }
  add(run, "end", "end", event, { ...event.data, status: TERMINAL[event.type] });
}

/** @param {Run} run @param {string} kind @param {string} id @param {any} event @param {any} data */
function add(run, kind, id, event, data) {
  const item = { kind, id, at: Date.parse(event.at), turn: run.turn, data };
  const old = run.byId.get(id);
  if (old) run.items = run.items.filter((it) => it !== old);
  run.items.push(item);
  run.byId.set(id, item);
}

/** Put an item in place of the one with that id: who shows items compares them by identity. */
function change(/** @type {Run} */ run, /** @type {string} */ id, /** @type {any} */ fields) {
  const old = run.byId.get(id);
  if (!old) return;
  const item = { ...old, data: { ...old.data, ...fields } };
  run.items[run.items.indexOf(old)] = item;
  run.byId.set(id, item);
}

/** @param {Run} run @param {any} event @param {string} text */
const note = (run, event, text) => add(run, "note", `note-${event.seq}`, event, { text });

/** @param {Run} run @param {any} event */
function requestedOf(run, event) {
  const { approval_id: approval, request_id: request } = event.data;
  if (run.waits.ended) return;
  const kind = approval ? "approval" : "input";
  const data = { ...event.data, kind, step: event.step, state: "open" };
  add(run, "ask", approval ?? request, event, data);
}

/** @param {Run} run @param {any} event */
function closed(run, event) {
  const { decision, reason, by, note: said, arguments: given, text } = event.data;
  const state = decision ?? reason ?? "answered";
  const id = event.data[CLOSING[event.type]];
  if (run.byId.get(id)?.data.state !== "open") return;
  change(run, id, { state, by, note: said, given, text, end: Date.parse(event.at) });
}

/** @param {Run} run @param {any} event */
function told(run, event) {
  const id = `command-${event.data.command_id}`;
  const state = event.type.slice("command.".length);
  const what = event.data.applied ?? event.data.reason;
  if (state === "accepted") add(run, "command", id, event, { ...event.data, state });
  else if (run.byId.has(id)) change(run, id, { state, what });
  else add(run, "command", id, event, { ...event.data, state, what });
}

/** @param {Run} run @param {any} event */
function begun(run, event) {
  run.head = { ...run.head, ...withoutNulls(event.data) };
  if (event.type === "run.started") run.startedAt ??= Date.parse(event.at);
}

/** The run begins with a past: another run's, or one that it was given. */
function forked(/** @type {Run} */ run, /** @type {any} */ event) {
  const { run_id: source, step, to_seq: to } = event.data;
  run.inheritedTo = to;
  const from = source ? `Fork of ${source} from step ${step}` : "With a history that was given";
  add(run, "note", `note-${event.seq}`, event, { text: from, source, step, to });
}

/** @param {any} data */
const withoutNulls = (data) =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null));

/** A message begins a turn, or belongs to the one that runs. */
function spoken(/** @type {Run} */ run, /** @type {any} */ event) {
  const turn = event.data.turn ?? 0;
  const begins = turn > run.turn;
  const first = !run.items.some((item) => item.kind === "user");
  run.turn = turn;
  add(run, "user", `user-${event.seq}`, event, { ...event.data, first, begins });
}

/** With when the turn began, and its steps; those that have not ended never will. */
function turned(/** @type {Run} */ run, /** @type {any} */ event) {
  const { turn } = event.data;
  const mine = run.items.filter((item) => item.turn === turn);
  const steps = mine.filter((item) => item.kind === "step");
  for (const { data } of steps) {
    const step = run.steps.get(data.step);
    const endedAt = Date.parse(event.at);
    if (step?.endedAt === null) run.steps.set(step.step, { ...step, endedAt });
  }
  const from = mine.find((item) => item.kind === "user")?.at ?? null;
  add(run, "turn", `turn-${turn}`, event, { ...event.data, steps: steps.length, from });
}

/** A call runs another run, or that one has ended. @param {Run} run @param {any} event */
function born(run, { data }) {
  const known = run.children.get(data.call_id);
  run.children.set(data.call_id, { status: "running", ...known, ...data });
  const tool = run.tools.get(data.call_id);
  if (tool) run.tools.set(data.call_id, { ...tool });
}

/** @param {Run} run @param {any} event */
function resumed(run, event) {
  const last = run.items.findLast((item) => item.kind === "pause");
  if (last && !last.data.end) change(run, last.id, { state: "over", end: Date.parse(event.at) });
}

/** @param {Run} run @param {any} event */
function paused(run, event) {
  if (run.items.some((item) => item.kind === "pause" && item.data.state === "open")) return;
  add(run, "pause", `pause-${event.seq}`, event, { by: event.data.by, state: "open" });
}

/**
 * What each type adds to the transcript beside steps.
 * @type {Record<string, (r: Run, e: any) => void>}
 */
const BESIDE = {
  "run.queued": begun,
  "run.started": begun,
  "run.forked": forked,
  "message.user": spoken,
  "turn.completed": turned,
  "approval.requested": requestedOf,
  "input.requested": requestedOf,
  "approval.resolved": closed,
  "input.received": closed,
  "input.closed": closed,
  "command.accepted": told,
  "command.applied": told,
  "command.refused": told,
  "child.started": born,
  "child.ended": born,
  "run.paused": paused,
  "run.resumed": resumed,
};
