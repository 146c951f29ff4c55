/* Which of these pages a path shows. */
import { h } from "../../vendor/preact.js";
import { shortId } from "../../model/words.js";
import { code, div, h3, p } from "../../parts/elements.js";
import { logo } from "../../parts/icons.js";
import { PLACES, isUsed } from "../../parts/places.js";
import { useEffect } from "../../vendor/hooks.js";
import { followBeside } from "../../state/list.js";
import { may } from "../../wire/api.js";
import { Audit } from "./audit.js";
import { Batch, Batches } from "./batches.js";
import { top } from "./frame.js";
import { Keys } from "./keys.js";
import { Schedule, Schedules } from "./schedules.js";
import { Webhook, Webhooks } from "./webhooks.js";

/** A list, and one of its items. @type {Record<string, [any, any?]>} */
const VIEWS = {
  schedules: [Schedules, Schedule],
  batches: [Batches, Batch],
  webhooks: [Webhooks, Webhook],
  keys: [Keys],
  audit: [Audit],
};

/**
 * The class, the view and the heading of a path; null if it is none of these pages.
 * @param {string} page
 * @param {string | undefined} id
 * @returns {[string, any, string] | null}
 */
export function adminView(page, id) {
  const [list, one] = VIEWS[page] ?? [];
  const place = PLACES.find(({ path }) => path === `/${page}`);
  if (!list || !place) return null;
  const view = id && one ? h(one, { id: decoded(id), key: id }) : h(list, null);
  const word = id && one ? shortId(id) : place.word;
  return ["admin", h(Guarded, { place, view, key: page }), word];
}

/** @param {string} id */
function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // a lone `%`: the server says that there is none
  }
}

/**
 * The view, or why there is nothing to see.
 * @param {{place: import("../../parts/places.js").Place, view: any}} props
 */
function Guarded({ place, view }) {
  useEffect(followBeside, []);
  if (may(place.scope) && isUsed(place)) return view;
  return [
    top(place.word),
    div(
      { class: "empty", role: "alert" },
      logo(),
      isUsed(place)
        ? [
            h3(null, "Your credentials do not open this page"),
            p(null, "It needs the scope ", code(null, place.scope), "."),
          ]
        : [
            h3(null, "Nothing to see here"),
            p(
              null,
              "This server does not authenticate its users with API keys: ",
              code(null, "RELAYLINE_AUTH"),
              ".",
            ),
          ],
    ),
  ];
}
