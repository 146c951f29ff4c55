/* Whether a run continues, and what a person must do before it does: as projections/waits. Pure. */

/** The status that each terminal event gives the run. @type {Record<string, string>} */
export const TERMINAL = {
  "run.completed": "completed",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
  "run.terminated": "terminated",
  "run.timed_out": "timed_out",
};

/** Each type that closes a request, with the field that has the request's id. */
export const CLOSING = /** @type {Record<string, string>} */ ({
  "approval.resolved": "approval_id",
  "input.received": "request_id",
  "input.closed": "request_id",
});

const SWITCHES = new Set(["run.started", "run.resumed", "run.paused"]);

/**
 * @typedef {object} Waits
 * @property {boolean} begun
 * @property {boolean} scheduled Submitted for later.
 * @property {number} startedSeq `seq` of the first `run.started` that counts; 0: there is none.
 * @property {boolean} paused
 * @property {boolean} idle From the end of a turn to the next message.
 * @property {string | null} ended The final status.
 * @property {Map<string, any>} open Requests by id, oldest first: the event of each.
 * @property {any[]} below What the newest `run.waiting` said of the runs below this one.
 */

/** @returns {Waits} */
export const noWaits = () => ({
  begun: false,
  scheduled: false,
  startedSeq: 0,
  paused: false,
  idle: false,
  ended: null,
  open: new Map(),
  below: [],
});

/**
 * How it ended, else `paused`, `waiting` while something is open, or `idle`.
 * @param {Waits} waits
 */
export function statusOf(waits) {
  if (waits.ended) return waits.ended;
  if (waits.paused) return "paused";
  if (waits.open.size || waits.below.length) return "waiting";
  if (waits.idle) return "idle";
  if (waits.begun) return "running";
  return waits.scheduled ? "scheduled" : "queued";
}

/**
 * Ids of the calls that a person holds up: by a request, or because a run below waits for one. What
 * waits further down is below the only run that it can be below, or nothing is said of it.
 * @param {import("./run.js").Run} run
 */
export function heldCalls({ waits, children }) {
  const below = new Set(waits.below.map((it) => it.run_id));
  const runs = [...children].filter(([, { status }]) => status === "running");
  const known = runs.filter(([, { run_id: id }]) => below.has(id));
  const found = below.size && runs.length === 1 ? runs : known;
  const asked = [...waits.open.values()].map((event) => event.data.call_id);
  return new Set([...asked, ...found.map(([id]) => id)]);
}

/** Take in one event. @param {Waits} waits @param {any} event */
export function applyWaits(waits, event) {
  if (waits.ended) return;
  if (event.type in TERMINAL) {
    waits.ended = TERMINAL[event.type];
    waits.begun = true;
    waits.paused = false;
    waits.open.clear();
    waits.below = [];
  } else if (event.type === "turn.completed") {
    waits.idle = true;
    waits.paused = false;
  } else if (event.type === "message.user") {
    waits.idle = false;
  } else if (SWITCHES.has(event.type)) {
    const starts = event.type === "run.started";
    waits.begun = waits.begun || starts || !waits.scheduled;
    waits.paused = event.type === "run.paused";
    if (starts) waits.startedSeq ||= event.seq;
  } else if (event.type === "run.queued") {
    waits.scheduled = Boolean(event.data.start_at);
  } else if (event.type === "run.waiting") {
    waits.below = (event.data.waiting_for ?? []).filter((/** @type {any} */ it) => it.run_id);
  } else if (event.type === "approval.requested") {
    waits.open.set(event.data.approval_id, event);
  } else if (event.type === "input.requested") {
    waits.open.set(event.data.request_id, event);
  } else if (event.type in CLOSING) {
    waits.open.delete(event.data[CLOSING[event.type]]);
  }
}

/** After a reset nothing is open: the run says again what it waits for. @param {Waits} waits */
export function rewindWaits(waits) {
  waits.begun = waits.startedSeq > 0 || !waits.scheduled;
  waits.paused = waits.idle = false;
  waits.ended = null;
  waits.open.clear();
  waits.below = [];
}
