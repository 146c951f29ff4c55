/* The one stream of this tab, `GET /v1/live`, read by `fetch`: it can tell why it is refused. */
import { signal } from "../vendor/signals.js";
import { Problem, credentials, refusal, skew, unreachable } from "./api.js";

const HIDDEN_MS = 10_000;
/** The server writes something every 10 s. */
const SILENT_MS = 25_000;
const MAX_WAIT_MS = 8000;
/** With HTTP/1.1 a browser has six connections to a host: two stay free for pages and commands. */
const SLOTS = ["relayline.live-1", "relayline.live-2", "relayline.live-3", "relayline.live-4"];
/** A window that is one too many looks for so long, and so long later again. */
const GLANCE_MS = 1000;
const PAUSE_MS = 3000;
/** States that the first frame does not end. */
const CALM = new Set(["live", "crowded"]);
/** States in which no stream is open: one is when the window is shown. */
const ASLEEP = new Set(["lost", "crowded", "resting"]);
/** States that last until there is news. */
const GRADUAL = new Set(["lost", "crowded"]);

/**
 * @typedef {object} State
 * @property {"connecting" | "live" | "crowded" | "lost" | "resting" | "refused"} at
 * @property {number} since As ms, by the server's clock.
 * @property {Problem | null} problem Of a lost connection or a refused one.
 */

/** How the stream is. @type {import("../vendor/signals.js").Signal<State>} */
export const state = signal({ at: "connecting", since: Date.now(), problem: null });

/**
 * @typedef {object} Follow
 * @property {() => string} query What to follow, with the cursors of now.
 * @property {(event: string, data: any, first: boolean) => void} take
 *   Takes in a frame; `first` is true until the connection has given one of this event.
 * @property {() => void} [settled] Called after each batch of frames.
 */

/** @type {Follow | null} */
let wanted = null;
/** @type {AbortController | null} */
let current = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let tries = 0;

/** Follow something else from now on. @param {Follow} follow */
export function follow(follow) {
  wanted = follow;
  tries = 0;
  connect();
}

/** Follow nothing: nobody is signed in. */
export function stop() {
  wanted = null;
  clearTimeout(timer);
  current?.abort();
  current = null;
}

/** Try to connect now. */
export function retry() {
  tries = 0;
  connect();
}

/** @param {State["at"]} at @param {Problem | null} [problem] */
function become(at, problem = null) {
  const stays = at === "lost" && state.value.at === "lost";
  state.value = { at, since: stays ? state.value.since : Date.now() + skew.value, problem };
}

function connect() {
  clearTimeout(timer);
  current?.abort();
  const follow = wanted;
  if (!follow || (document.hidden && state.value.at === "resting")) return;
  current = new AbortController();
  if (!GRADUAL.has(state.value.at)) become("connecting");
  void read(follow, current);
}

/** @param {Follow} follow @param {AbortController} controller */
async function read(follow, controller) {
  let problem = unreachable();
  const held = await withSlot(async () => {
    if (state.value.at === "crowded") become("connecting");
    problem = await streamed(follow, controller);
  });
  if (controller !== current) return;
  if (document.hidden) become("resting");
  else if (held) later(problem);
  else await glance(follow, controller);
}

/**
 * Hold one of the slots while `use` runs. False if all are taken, so that it did not run.
 *
 * Without `navigator.locks`, which a page has on https and on localhost only, nothing is counted.
 * @param {() => Promise<void>} use
 * @returns {Promise<boolean>}
 */
async function withSlot(use) {
  if (!navigator.locks) {
    await use();
    return true;
  }
  for (const slot of SLOTS) {
    const held = await navigator.locks.request(slot, { ifAvailable: true }, async (lock) => {
      if (lock) await use();
      return lock !== null;
    });
    if (held) return true;
  }
  return false;
}

/** Too many windows are live: read what is new, and come back. */
async function glance(/** @type {Follow} */ follow, /** @type {AbortController} */ controller) {
  become("crowded");
  const enough = setTimeout(() => controller.abort(), GLANCE_MS);
  const problem = await streamed(follow, controller);
  clearTimeout(enough);
  if (controller !== current || document.hidden) return;
  if (controller.signal.aborted) timer = setTimeout(connect, PAUSE_MS);
  else later(problem);
}

/**
 * Read the stream to its end; why it has one.
 * @param {Follow} follow
 * @param {AbortController} controller
 */
async function streamed(follow, controller) {
  try {
    const answer = await fetch(`/v1/live?${follow.query()}`, {
      headers: { ...credentials(), Accept: "text/event-stream" },
      signal: controller.signal,
    });
    if (!answer.ok || !answer.body) return await refusal(answer);
    await frames(follow, answer.body, controller);
  } catch (error) {
    if (!(error instanceof TypeError) && !controller.signal.aborted) throw error;
  }
  return unreachable();
}

/** @param {Follow} follow @param {ReadableStream} body @param {AbortController} controller */
async function frames(follow, body, controller) {
  const seen = new Set();
  let silent = setTimeout(() => controller.abort(), SILENT_MS);
  for await (const batch of batches(body)) {
    if (controller !== current) return;
    clearTimeout(silent);
    silent = setTimeout(() => controller.abort(), SILENT_MS);
    tries = 0;
    if (!CALM.has(state.value.at)) become("live");
    for (const { event, data } of batch) {
      follow.take(event, JSON.parse(data), !seen.has(event));
      seen.add(event);
    }
    if (batch.length) follow.settled?.();
  }
  clearTimeout(silent);
}

/** Connect again later, unless the server has said that it is no use. @param {Problem} problem */
function later(problem) {
  const { status } = problem;
  if (status >= 400 && status < 500 && status !== 429) {
    become("refused", problem);
    return;
  }
  become("lost", problem);
  const wait = Math.min(MAX_WAIT_MS, 250 * 2 ** tries) * (0.75 + Math.random() / 2);
  tries += 1;
  timer = setTimeout(connect, Math.max(wait, problem.retryMs));
}

/** A hidden tab closes its stream and reads on from its cursor when it is shown. */
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (document.hidden) {
    timer = setTimeout(() => {
      current?.abort();
      current = null;
      become("resting");
    }, HIDDEN_MS);
  } else if (ASLEEP.has(state.value.at)) {
    become("connecting");
    retry();
  }
});

/**
 * @typedef {{event: string, id: string | null, data: string}} Frame
 */

/**
 * The frames of a stream, in batches of what arrived together; a comment gives an empty batch.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Frame[]>}
 */
async function* batches(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = parts.pop() ?? "";
      yield parts.map(frame).filter((it) => it !== null);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/**
 * @param {string} text
 * @returns {Frame | null}
 */
function frame(text) {
  /** @type {Frame} */
  const found = { event: "message", id: null, data: "" };
  /** @type {string[]} */
  const data = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") found.event = value;
    else if (name === "id") found.id = value;
    else if (name === "data") data.push(value);
  }
  found.data = data.join("\n");
  return data.length ? found : null;
}
