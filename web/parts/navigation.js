/* The page's paths: real ones, so that links can be shared and `Back` works. */
import { signal } from "../vendor/signals.js";
import { a } from "./elements.js";
import { auth, may } from "../wire/api.js";

const here = () => ({ path: location.pathname, query: new URLSearchParams(location.search) });

/** Where the page is. */
export const place = signal(here());

addEventListener("popstate", () => {
  place.value = here();
});

/** Go there. @param {string} url @param {boolean} [instead] Without a step in the history. */
export function go(url, instead = false) {
  if (instead) history.replaceState(null, "", url);
  else if (url !== location.pathname + location.search) history.pushState(null, "", url);
  place.value = here();
}

/** A link within the page. @param {any} props With `href`. @param {...any} children */
export const link = (props, ...children) =>
  a(
    {
      ...props,
      onClick: (/** @type {MouseEvent} */ event) => {
        const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
        if (event.defaultPrevented || event.button !== 0 || !plain) return;
        event.preventDefault();
        go(props.href);
      },
    },
    ...children,
  );

/**
 * A page for whoever looks after the server.
 * @typedef {object} Place
 * @property {string} path
 * @property {"clock" | "layers" | "send" | "key" | "shield"} picture
 * @property {string} word
 * @property {string} letter Pressed after G.
 * @property {string} scope What its first request needs.
 * @property {string} [mode] The way to authenticate without which it has nothing to show.
 */

/** Each is offered to those who may see it. @type {Place[]} */
export const PLACES = [
  { path: "/schedules", picture: "clock", word: "Schedules", letter: "c", scope: "runs:read" },
  { path: "/batches", picture: "layers", word: "Batches", letter: "b", scope: "runs:read" },
  { path: "/webhooks", picture: "send", word: "Webhooks", letter: "w", scope: "webhooks:admin" },
  {
    path: "/keys",
    picture: "key",
    word: "API keys",
    letter: "k",
    scope: "keys:admin",
    mode: "keys",
  },
  {
    path: "/audit",
    picture: "shield",
    word: "Audit log",
    letter: "l",
    scope: "audit:read",
    mode: "any",
  },
];

/** False if authentication is off, or not of the kind that it is about. @param {Place} it */
export const isUsed = ({ mode }) => {
  const modes = auth.value?.modes ?? [];
  return !mode || (mode === "any" ? modes.length > 0 : modes.includes(mode));
};

/** The pages that whoever is signed in can use. */
export const openPlaces = () => PLACES.filter((place) => may(place.scope) && isUsed(place));
