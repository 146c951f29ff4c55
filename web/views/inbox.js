/* All that waits for a person: what expires first goes first. */
import { h } from "../vendor/preact.js";
import { useEffect } from "../vendor/hooks.js";
import { brief, duration, number, shortId } from "../model/words.js";
import {
  b,
  button,
  choice,
  code,
  cx,
  div,
  em,
  h1,
  h2,
  h3,
  header,
  i,
  kbd,
  p,
  section,
  small,
  span,
  tags,
  time,
} from "../parts/elements.js";
import { icon, logo } from "../parts/icons.js";
import { go, link, place } from "../parts/navigation.js";
import { followBeside, inbox, keys, now } from "../parts/shared.js";
import { Markdown } from "../parts/text.js";
import { useCommand } from "../parts/commands.js";
import { may } from "../wire/api.js";
import { Ask, askOf } from "./asks/ask.js";
import { Knew } from "./asks/knew.js";

/** @type {[string, string][]} */
const GROUPS = [
  ["approval", "Approve"],
  ["input", "Answer"],
  ["limit", "Limits"],
  ["resume", "Paused"],
  ["attention", "Stuck"],
];

/** So many items the server sends at most. */
const MOST = 200;

/** What expires first, then what waits longest. @param {any} one @param {any} other */
function moreUrgent(one, other) {
  const [a, c] = [one.expires_at ?? "~", other.expires_at ?? "~"];
  if (a !== c) return a < c ? -1 : 1;
  return (one.since ?? "") < (other.since ?? "") ? -1 : 1;
}

/** The agent whose items alone are shown; empty for all. */
const only = () => place.value.query.get("agent") ?? "";

/** In the order in which they are shown. */
function sorted() {
  const agent = only();
  const items = [...inbox.value.items.values()]
    .filter((item) => !agent || item.agent === agent)
    .sort(moreUrgent);
  return GROUPS.flatMap(([kind]) => items.filter((item) => item.kind === kind));
}

/** The inbox of an agent, or of all; with an item, this one is open. */
const pathOf = (/** @type {Record<string, string>} */ query) => {
  const some = Object.entries(query).filter(([, value]) => value);
  return some.length ? `/inbox?${new URLSearchParams(some)}` : "/inbox";
};

/** @param {any} item */
const hrefOf = (item) => pathOf({ agent: only(), item: item.item_id });

export function Inbox() {
  useEffect(() => {
    followBeside();
    keys
      .set("j", () => move(1))
      .set("k", () => move(-1))
      .set("Enter", openRun);
    return () => keys.clear();
  }, []);
  const items = sorted();
  const asked = place.value.query.get("item");
  const on = items.find((item) => item.item_id === asked) ?? items[0];
  return div(
    { class: cx("inbox", asked && on && "open") },
    section(
      { class: "list", "aria-label": "Waiting for you" },
      header({ class: "top" }, h1(null, "Inbox", em(null, items.length)), h(AgentChoice, null)),
      GROUPS.map(([kind, word]) =>
        h(Group, { key: kind, word, on, items: items.filter((item) => item.kind === kind) }),
      ),
      inbox.value.items.size < MOST
        ? null
        : p({ class: "end" }, `Only the ${MOST} most urgent are read. Others follow as these go.`),
      items.length
        ? p(
            { class: "hintline" },
            kbd(null, "J"),
            " ",
            kbd(null, "K"),
            " move  ",
            kbd(null, "A"),
            " approve  ",
            kbd(null, "D"),
            " deny  ",
            kbd(null, "E"),
            " edit  ",
            kbd(null, "↵"),
            " open",
          )
        : h(Nothing, null),
    ),
    on
      ? h(Reading, { item: on, key: on.item_id })
      : section({ class: "read", "aria-label": "Nothing" }),
  );
}

/** @returns {any} */
function picked() {
  const items = sorted();
  const asked = place.value.query.get("item");
  return {
    items,
    at: Math.max(
      0,
      items.findIndex((item) => item.item_id === asked),
    ),
  };
}

/** @param {number} by */
function move(by) {
  const { items, at } = picked();
  const next = items[Math.max(0, Math.min(items.length - 1, at + by))];
  if (next) go(hrefOf(next), true);
}

function openRun() {
  const { items, at } = picked();
  if (items[at]) go(`/runs/${items[at].run_id}`);
}

/** Which agent's items are shown: of those that have some, and the chosen one. */
function AgentChoice() {
  const agent = only();
  const found = [...inbox.value.items.values()].map((item) => item.agent);
  const names = [...new Set([...found, agent].filter(Boolean))].sort();
  if (!names.length) return null;
  const options = [["", "All agents"], ...names.map((name) => [name, name])];
  return choice("Agent", agent, options, (name) => go(pathOf({ agent: name })));
}

function Nothing() {
  if (!inbox.value.known) {
    return div({ class: "loading", "aria-label": "Loading" }, i(null), i(null), i(null));
  }
  const others = inbox.value.items.size;
  const full = others >= MOST;
  const none = full
    ? `None of the ${MOST} most urgent is ${only()}'s`
    : `Nothing from ${only()} waits for you`;
  return div(
    { class: "empty" },
    logo(),
    h3(null, others ? none : "Nothing waits for you"),
    p(
      null,
      others
        ? `Other agents have ${full ? "at least " : ""}${others} waiting.`
        : "Approvals, questions and reached limits appear here by themselves.",
    ),
    others ? button({ class: "btn quiet", onClick: () => go("/inbox") }, "Show all agents") : null,
  );
}

/** @param {{word: string, items: any[], on: any}} props */
function Group({ word, items, on }) {
  if (!items.length) return null;
  return [
    h2({ key: "word" }, word, em(null, items.length)),
    ...items.map((item) => h(Entry, { key: item.item_id, item, on: item === on })),
  ];
}

/** @param {any} item */
function title(item) {
  if (item.kind === "approval") return [item.tool, code(null, brief(item.arguments))];
  if (item.kind === "limit") return `Limit reached: ${item.arguments?.limit ?? ""}`;
  return item.kind === "resume" ? "Paused" : (item.question ?? item.what);
}

/** @param {any} item */
const about = (item) =>
  [item.effects === "unsafe" ? "runs at most once" : null, item.agent, item.title]
    .filter(Boolean)
    .join(" · ");

/** @param {{item: any, on: boolean}} props */
const Entry = ({ item, on }) =>
  link(
    { class: on ? "inb on" : "inb", href: hrefOf(item), "aria-current": on ? "true" : undefined },
    i({ class: item.kind === "resume" ? "node pause" : "node wait" }),
    span(
      null,
      b({ title: item.kind === "approval" ? brief(item.arguments) : item.what }, title(item)),
      small({ title: item.title }, about(item)),
    ),
    item.since
      ? time({ datetime: item.since }, duration(now.value - Date.parse(item.since)))
      : null,
  );

/** @param {{item: any}} props */
function Reading({ item }) {
  const waits = item.since ? duration(now.value - Date.parse(item.since)) : "";
  return section(
    { class: "read", "aria-label": item.title },
    header(
      { class: "head" },
      div(
        { class: "crumb" },
        link({ class: "back", href: pathOf({ agent: only() }) }, "Inbox"),
        link({ href: `/runs/${item.run_id}` }, code(null, shortId(item.run_id))),
      ),
      div(
        { class: "ttl" },
        h1({ title: item.title }, item.title || item.run_id),
        div(
          { class: "acts" },
          link({ class: "btn", href: `/runs/${item.run_id}` }, "Open the run ", kbd(null, "↵")),
        ),
      ),
      div(
        { class: "facts" },
        span({ class: "pill wait" }, `waits ${waits}`),
        span(null, item.agent),
        span(null, "step ", b(null, number(item.step))),
        tags(item.metadata, 6),
      ),
    ),
    div(
      { class: "readbody" },
      h2({ class: "vh" }, "What it asks"),
      h(Card, { item }),
      item.said
        ? [
            h2({ class: "ctx", key: "ctx" }, "What the model said before it asked"),
            div({ class: "boxed", key: "said" }, h(Markdown, { text: item.said })),
          ]
        : null,
      h(Knew, { item }),
    ),
  );
}

/** @param {{item: any}} props */
function Card({ item }) {
  if (item.kind === "resume") return h(Resume, { item });
  if (item.kind === "attention") {
    return div(
      { class: "verdict" },
      icon("warn"),
      span(null, b(null, "No progress"), `: ${item.what}`),
      link({ class: "btn quiet", href: "/system" }, "System"),
    );
  }
  return h(Ask, { ask: askOf(item), runId: item.run_id, agent: item.agent });
}

/** @param {{item: any}} props */
function Resume({ item }) {
  const { send, busy, problem } = useCommand(item.run_id, "Resumed");
  return div(
    { class: "verdict" },
    icon("pause"),
    span(
      null,
      b(null, "Paused"),
      ". A paused run costs nothing and outlives restarts.",
      problem ? em({ class: "t-fail" }, ` ${problem.message}`) : null,
    ),
    may("runs:steer")
      ? button(
          { class: "btn primary", disabled: busy, onClick: () => send("resume", {}) },
          icon("play"),
          "Resume",
        )
      : null,
  );
}
