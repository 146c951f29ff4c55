/* Keys: one table for the page, another for the view that is shown. Off while one types. */
import { signal } from "../vendor/signals.js";
import { may } from "../wire/api.js";
import { go, openPlaces } from "./navigation.js";
import { dialog, keys } from "./shared.js";

const PAGES = /** @type {Record<string, string>} */ ({
  r: "/runs",
  i: "/inbox",
  a: "/agents",
  s: "/system",
});
const PREFIX_MS = 900;
/** An approval that has just appeared is not decided by a key that was meant for something else. */
const FRESH_MS = 400;
const OFF = "relayline.keys-off";

/** True while keys without a modifier do nothing. */
export const off = signal(stored());

function stored() {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
}

/** @param {boolean} value */
export function switchOff(value) {
  off.value = value;
  try {
    localStorage.setItem(OFF, value ? "1" : "");
  } catch {
    // without storage it holds for this page only
  }
}

export function toggleTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("relayline.theme", root.dataset.theme);
  } catch {
    // without storage it holds for this page only
  }
}

/** @param {Element} element */
function inView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

/** The one approval that a key may decide: with the focus, or the only one in view. */
function theAsk() {
  const focused = document.activeElement?.closest(".ask");
  const all = [...document.querySelectorAll(".ask")].filter(inView);
  const only = all.length === 1 ? all[0] : null;
  const found = /** @type {HTMLElement | null} */ (focused ?? only);
  const since = Number(found?.dataset.since ?? Infinity);
  return found && performance.now() - since > FRESH_MS ? found : null;
}

/** @param {string} selector */
const press = (selector) => {
  const found = theAsk()?.querySelector(selector);
  if (found instanceof HTMLElement) found.click();
};

/** @type {Record<string, () => void>} */
const EVERYWHERE = {
  "?": () => (dialog.value = "keys"),
  t: toggleTheme,
  n: () => {
    if (may("runs:write")) dialog.value = "new";
  },
  u: () => go("/runs"),
  "/": () => /** @type {HTMLElement | null} */ (document.querySelector("[data-search]"))?.focus(),
  a: () => press("[data-decide=approve]"),
  d: () => press("[data-decide=deny]"),
  e: () => {
    const field = theAsk()?.querySelector(".fields input, .fields textarea, .fields select");
    if (field instanceof HTMLElement) field.focus();
  },
};

let prefixAt = -Infinity;

/** Where G and this key lead. @param {string} key */
const pageOf = (key) => PAGES[key] ?? openPlaces().find(({ letter }) => letter === key)?.path;

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    dialog.value = "palette";
    return;
  }
  const types = target.matches("input, textarea, select, [contenteditable]");
  if (types || event.metaKey || event.ctrlKey || event.altKey || dialog.value || off.value) return;
  const key = event.shiftKey && event.key.length === 1 ? event.key : event.key.toLowerCase();
  const page = performance.now() - prefixAt < PREFIX_MS ? pageOf(key) : undefined;
  prefixAt = key === "g" ? performance.now() : -Infinity;
  const act = page ? () => go(page) : (keys.get(key) ?? EVERYWHERE[key]);
  if (!act || (key === "Enter" && target.matches("a, button, summary"))) return;
  event.preventDefault();
  act();
}

export function start() {
  document.addEventListener("keydown", pressed);
}
