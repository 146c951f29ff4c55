/* The run that is shown: its events as they come, and what the server says of it as a whole. */
import { signal } from "../vendor/signals.js";
import { applyEvents, emptyRun, runStatus } from "../model/run.js";
import { say } from "../parts/shared.js";
import { Problem, call } from "../wire/api.js";
import { follow, retry, state } from "../wire/live.js";
import { takeBeside } from "./list.js";

/**
 * The run: the model is changed in place, `version` counts its changes.
 * @type {import("../vendor/signals.js").Signal<{
 *   id: string, run: import("../model/run.js").Run, version: number, loaded: boolean}>}
 */
export const shown = signal({ id: "", run: emptyRun(), version: 0, loaded: false });
/** What `GET /v1/runs/{id}` says; null until it has. */
export const view = signal(/** @type {any} */ (null));
/** Why it says nothing. */
export const viewProblem = signal(/** @type {Problem | null} */ (null));
/** What the server says of workers that do not answer; empty when nothing is known. */
export const notice = signal("");

/** @type {any[]} */
let pending = [];
let drawing = false;

/** Show a run from its first event on. @param {string} id */
export function showRun(id) {
  pending = [];
  shown.value = { id, run: emptyRun(), version: 0, loaded: false };
  view.value = viewProblem.value = null;
  notice.value = "";
  void refresh();
  follow({ query: () => `inbox=true&run=${id}:${shown.value.run.seq}`, take, settled });
}

/** Ask the server about the run as a whole. */
export async function refresh() {
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
  else if (data.type === "events.lost")
    startAgain("The journal has lost events: they are read again.");
  else if (data.type === "worker.unavailable") notice.value = data.data?.message ?? "No worker.";
  else pending.push(data);
}

/** Forget everything and read from the start. @param {string} why */
export function startAgain(why) {
  pending = [];
  shown.value = { ...shown.value, run: emptyRun(), version: shown.value.version + 1 };
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
