/* The pages for whoever looks after the server; each is offered to those who may see it. */
import { auth, may } from "../wire/api.js";

/**
 * @typedef {object} Place
 * @property {string} path
 * @property {"clock" | "layers" | "send" | "key" | "shield"} picture
 * @property {string} word
 * @property {string} letter Pressed after G.
 * @property {string} scope What its first request needs.
 * @property {string} [mode] The way to authenticate without which it has nothing to show.
 */

/** @type {Place[]} */
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
