/* The rail at the left: pages, the live stream, theme, keys, who this is. */
import { h } from "../vendor/preact.js";
import { b, button, cx, div, em, i, nav, span } from "../parts/elements.js";
import { icon, logo } from "../parts/icons.js";
import { link, openPlaces, place } from "../parts/navigation.js";
import { toggleTheme } from "../parts/keyboard.js";
import { dialog, inbox, now, system } from "../parts/shared.js";
import { duration } from "../model/words.js";
import { auth, name, signOut } from "../wire/api.js";
import { retry, state } from "../wire/live.js";

/** A stream that is back sooner is not worth a word. */
const LOST_MS = 1500;
/** @type {[string, any, string, string][]} */
const PAGES = [
  ["/runs", "runs", "Runs", "G R"],
  ["/inbox", "inbox", "Inbox", "G I"],
  ["/agents", "agents", "Agents", "G A"],
  ["/system", "system", "System", "G S"],
];

export function Rail() {
  return nav(
    { class: "rail", "aria-label": "Main" },
    link({ class: "brand", href: "/runs" }, logo(), b(null, "Relayline")),
    div(
      { class: "nav" },
      PAGES.map(([href, picture, word, keys]) =>
        h(PageLink, { key: href, href, picture, word, keys }),
      ),
      h(MoreButton, null),
    ),
    h(MoreLinks, null),
    div({ class: "foot" }, h(Connection, null), h(Corner, null)),
  );
}

/** @param {{href: string, picture: any, word: string, keys: string}} props */
function PageLink({ href, picture, word, keys }) {
  const on = `/${place.value.path.split("/")[1] || "runs"}` === href;
  return link(
    { href, class: on ? "on" : "", title: keys, "aria-current": on ? "page" : undefined },
    icon(picture),
    span(null, word),
    href === "/inbox" ? h(Badge, null) : null,
  );
}

/** The pages that not everybody may see. */
export const MoreLinks = () =>
  div(
    { class: "nav more" },
    openPlaces().map(({ path, picture, word, letter }) =>
      h(PageLink, { key: path, href: path, picture, word, keys: `G ${letter.toUpperCase()}` }),
    ),
  );

/** In a narrow window, where only the first pages have room at the bottom. */
const MoreButton = () =>
  button(
    { class: "open-more", onClick: () => (dialog.value = "more") },
    icon("more"),
    span(null, "More"),
  );

export const Corner = () =>
  div(
    { class: "row" },
    button({ class: "icon", onClick: toggleTheme, "aria-label": "Light or dark" }, icon("moon")),
    button(
      { class: "icon", onClick: () => (dialog.value = "keys"), "aria-label": "Keyboard shortcuts" },
      "?",
    ),
    h(Who, null),
  );

function Badge() {
  const waiting = inbox.value.items.size;
  return waiting ? b({ class: "badge", "aria-label": `${waiting} wait for you` }, waiting) : null;
}

/** @type {Record<string, [string, string]>} */
const CONNECTION = {
  connecting: ["off", "Connecting"],
  live: ["done", "Live"],
  lost: ["wait", "Connection lost"],
  crowded: ["off", "4 other windows are live"],
  resting: ["off", "Resting"],
  refused: ["wait", "Not live"],
};

export function Connection() {
  const [tone, word] = CONNECTION[state.value.at];
  const lacking = Object.entries(system.value?.lacking ?? {});
  const parts = Object.entries(system.value?.parts ?? {}).filter(([, how]) => how !== "ok");
  const troubles = [...parts, ...lacking];
  return div(
    { class: "connection", role: "status" },
    div(null, i({ class: `dot ${tone}` }), span(null, word)),
    troubles.map(([part, why]) =>
      link(
        { class: "t-wait", title: String(why), href: "/system" },
        i({ class: "dot wait" }),
        span(null, `${part}: ${why}`),
      ),
    ),
  );
}

function leave() {
  dialog.value = null;
  signOut();
}

function Who() {
  const { modes, principal } = auth.value;
  if (modes.length) {
    return button(
      { class: "who", onClick: leave, title: `${principal.subject}: sign out` },
      i(null, principal.subject.slice(0, 1).toUpperCase()),
      span(null, principal.subject),
    );
  }
  const known = name.value;
  return button(
    {
      class: "who",
      onClick: () => (dialog.value = "name"),
      title: "Sent as “by” with each command",
    },
    known ? i(null, known.slice(0, 1).toUpperCase()) : null,
    span(null, known || "Your name"),
  );
}

/** Says that what is shown grows old, since when, and lets one try at once. */
export function LostBar() {
  const { at, since, problem } = state.value;
  const lost = at === "lost" && now.value - since > LOST_MS;
  if (!lost && at !== "refused") return null;
  if (at === "refused" && (problem?.status === 404 || problem?.status === 410)) return null;
  const why = problem?.status ? problem.message : "";
  const words = lost
    ? `Connection lost ${duration(now.value - since)} ago. It continues where it stopped: ` +
      "nothing will be missing or shown twice."
    : "This page is not live.";
  return div(
    { class: cx("bar-note", "wait"), role: "status" },
    icon("warn"),
    span(null, words, why ? em(null, ` ${why}`) : null),
    button({ class: "btn text", onClick: retry }, "Try now"),
  );
}
