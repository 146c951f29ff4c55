/* What several views share: the time of now, messages at the bottom, the inbox, what is pressed. */
import { computed, effect, signal } from "../vendor/signals.js";
import { Problem, auth, skew } from "../wire/api.js";
import { follow } from "../wire/live.js";

/** The time of now by the server's clock, as ms; it moves once a second. */
export const now = signal(Date.now());
const tick = () => {
  if (!document.hidden) now.value = Date.now() + skew.value;
};
setInterval(tick, 1000);
effect(tick);
document.addEventListener("visibilitychange", tick);

/** The same, but it moves every ten seconds. */
export const slowly = computed(() => Math.floor(now.value / 10_000) * 10_000);

/** A message at the bottom of the page; empty for none. */
export const toast = signal("");
/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading;

/** @param {string} text */
export function say(text) {
  toast.value = text;
  clearTimeout(fading);
  fading = setTimeout(() => (toast.value = ""), 4000);
}

/** How this computer's keyboard names the key of commands, and the keys that send a text. */
export const COMMAND = /mac|iphone|ipad/i.test(navigator.userAgent) ? "⌘" : "Ctrl";
export const SENDS = `${COMMAND} ↵`;

/** What went wrong, for people. @param {unknown} error */
export function explain(error) {
  if (!(error instanceof Problem)) throw error;
  return error.message;
}

/** Which dialog is open: `new`, `keys`, `name`, `palette`, or one of a view; null for none. */
export const dialog = signal(/** @type {any} */ (null));

/** What waits for a person: items by id, and whether the server has told them yet. */
export const inbox = signal({ items: new Map(), known: false });

/** Take in a frame of the live stream. @param {any} frame @param {boolean} first */
function takeInbox(frame, first) {
  const items = new Map(first ? [] : inbox.value.items);
  for (const id of frame.gone) items.delete(id);
  for (const item of frame.upsert) items.set(item.item_id, item);
  inbox.value = { items, known: true };
}

/** What the server lacks, as `/readyz` tells; null until it has. */
export const system = signal(/** @type {any} */ (null));

/**
 * Take in what every page follows.
 * @param {string} event
 * @param {any} data
 * @param {boolean} first
 */
export function takeBeside(event, data, first) {
  if (event === "inbox") takeInbox(data, first);
  else if (event === "system") system.value = data;
}

/** Follow only what every page follows. */
export function followBeside() {
  follow({ query: () => "inbox=true", take: takeBeside });
}

effect(() => {
  if (!auth.value?.principal) inbox.value = { items: new Map(), known: false };
});

/** What is shown, for the window's title. */
export const heading = signal("");

effect(() => {
  const waiting = inbox.value.items.size;
  const words = heading.value ? `${heading.value} · Relayline` : "Relayline";
  document.title = waiting ? `(${waiting}) ${words}` : words;
});

/**
 * Keys of the view that is shown: `name of the key → what it does`.
 * @type {Map<string, Function>}
 */
export const keys = new Map();

/** @param {string} text @param {string} what */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say("The browser does not let this page copy.");
  }
}
