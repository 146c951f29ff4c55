/* Which of these pages a path shows. */
import { h } from "../../vendor/preact.js";
import { code, div, h2, p } from "../../parts/elements.js";
import { logo } from "../../parts/icons.js";
import { isUsed } from "../../parts/navigation.js";
import { followBeside } from "../../parts/shared.js";
import { useEffect } from "../../vendor/hooks.js";
import { may } from "../../wire/api.js";
import { Audit } from "./audit.js";
import { Batch, Batches } from "./batches.js";
import { top } from "./frame.js";
import { Keys } from "./keys.js";
import { Schedule, Schedules } from "./schedules.js";
import { Webhook, Webhooks } from "./webhooks.js";

/** A list, and one of its items. @type {Record<string, [any, any?]>} */
const VIEWS = {
  "/schedules": [Schedules, Schedule],
  "/batches": [Batches, Batch],
  "/webhooks": [Webhooks, Webhook],
  "/keys": [Keys],
  "/audit": [Audit],
};

/**
 * One of these pages, or why there is nothing to see.
 * @param {object} props
 * @param {import("../../parts/navigation.js").Place} props.other
 * @param {string} [props.id] Of one thing in its list.
 */
export function Admin({ other, id }) {
  useEffect(followBeside, []);
  if (!may(other.scope) || !isUsed(other)) return h(Closed, { other });
  const [list, one] = VIEWS[other.path];
  return id && one ? h(one, { id: decoded(id) }) : h(list, null);
}

/** @param {string} id */
function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // a lone `%`: the server says that there is none
  }
}

/** @type {Record<string, string>} */
const UNUSED = {
  keys: "This server takes no API keys: see ",
  any: "While authentication is off there is no audit log: see ",
};

/** @param {{other: import("../../parts/navigation.js").Place}} props */
const Closed = ({ other }) => [
  top(other.word),
  div(
    { class: "empty", role: "alert" },
    logo(),
    isUsed(other)
      ? [
          h2(null, "Your credentials do not open this page"),
          p(null, "It needs the scope ", code(null, other.scope), "."),
        ]
      : [
          h2(null, "Nothing to see here"),
          p(null, UNUSED[other.mode ?? ""], code(null, "RELAYLINE_AUTH"), "."),
        ],
  ),
];
