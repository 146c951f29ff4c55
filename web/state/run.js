/* The run that is shown: its events as they come, and what the server says of it as a whole. */
import { signal } from "../vendor/signals.js";
import { applyEvents, emptyRun, runStatus } from "../model/run.js";
import { say, takeBeside } from "../parts/shared.js";
import { Problem, call } from "../wire/api.js";
import { follow, retry, state } from "../wire/live.js";

/**
 * The run: the model is changed in place, `version` counts its changes.
 * @type {import("../vendor/signals.js").Signal<{
 *   id: string, run: import("../model/run.js").Run, version: number, loaded: boolean}>}
 */
export const shown = signal({ id: "", run: emptyRun(true), version: 0, loaded: false });
/** What `GET /v1/runs/{id}` says; null until it has. */
export const view = signal(/** @type {any} */ (null));
/** Why it says nothing. */
export const viewProblem = signal(/** @type {Problem | null} */ (null));
/** What the server says of workers that do not answer; empty when nothing is known. */
export const notice = signal("");

/** Whether deltas of steps that have ended are read, too. */
export const whole = signal(false);
const MAX_PAGES = 20;
/** @type {any[]} */
let pending = [];
let drawing = false;

/** Show a run: all of its facts, and the deltas of the open step. @param {string} id */
export function showRun(id) {
  pending = [];
  whole.value = false;
  shown.value = { id, run: emptyRun(true), version: 0, loaded: false };
  view.value = viewProblem.value = null;
  notice.value = "";
  void refresh();
  follow({ query: () => queryOf(id), take, settled });
}

/** @param {string} id */
const queryOf = (id) =>
  `inbox=true&run=${id}:${shown.value.run.seq}&deltas=${whole.value ? "all" : "open"}`;

/** Read the deltas of steps that have ended, too. */
export function readAll() {
  whole.value = true;
  startAgain("Every event is read again.");
}

/**
 * The text that deltas between two events make.
 * @param {"message.delta" | "reasoning.delta"} type
 * @param {number} from
 * @param {number} to Inclusive.
 */
export async function textOf(type, from, to) {
  const { id } = shown.value;
  let text = "";
  let after = from - 1;
  for (let pages = 0; pages < MAX_PAGES && after < to; pages += 1) {
    const query = `types=${type}&limit=1000&after=${after}`;
    const page = await call("GET", `/v1/runs/${id}/events?${query}`);
    for (const event of page.events) if (event.seq <= to) text += event.data.text;
    if (!page.events.length) break;
    after = page.next;
  }
  return text;
}

/** Ask the server about the run as a whole. */
async function refresh() {
  const { id } = shown.value;
  try {
    const answer = await call("GET", `/v1/runs/${id}`);
    if (id === shown.value.id) view.value = answer;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (id === shown.value.id) viewProblem.value = error;
  }
}

/** @param {string} event @param {any} data @param {boolean} first */
function take(event, data, first) {
  if (event !== "run.event") takeBeside(event, data, first);
  else if (data.run_id !== shown.value.id) return;
  else if (data.type === "events.lost") startAgain("Events are lost: all are read again.");
  else if (data.type === "worker.unavailable") notice.value = data.data?.reason ?? "No worker.";
  else pending.push(data);
}

/** Forget everything and read from the start. @param {string} why */
function startAgain(why) {
  pending = [];
  const run = emptyRun(!whole.value);
  shown.value = { ...shown.value, run, version: shown.value.version + 1 };
  say(why);
  queueMicrotask(retry);
}

function settled() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

/** All that came since the last frame of the screen is taken in together. */
function draw() {
  drawing = false;
  const { run, version } = shown.value;
  const before = runStatus(run);
  if (pending.length) notice.value = "";
  const answered = pending.some((event) => event.type === "message.completed");
  applyEvents(run, pending);
  pending = [];
  shown.value = { ...shown.value, version: version + 1, loaded: run.seq > 0 };
  if (before !== runStatus(run) || answered) void refresh();
}

/** A cursor that the server does not know any more: the journal was restored from a backup. */
state.subscribe(({ at, problem }) => {
  if (at === "refused" && problem?.kind === "cursor-ahead") {
    startAgain("The journal is shorter than what was shown: it is read again.");
  }
});
