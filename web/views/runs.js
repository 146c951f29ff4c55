/* The list of runs: what waits for a person first. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { filterOf, groups, typed } from "../model/listing.js";
import {
  button,
  code,
  cx,
  div,
  em,
  form,
  h1,
  h2,
  h3,
  header,
  i,
  input,
  kbd,
  label,
  option,
  p,
  pre,
  section,
  select,
  span,
} from "../parts/elements.js";
import { WORD, glyph, icon, logo } from "../parts/icons.js";
import { lazy } from "../parts/lazy.js";
import { go, place } from "../parts/navigation.js";
import { dialog, keys, now } from "../parts/shared.js";
import {
  counts,
  cursor,
  hold,
  leaveRuns,
  listing,
  more,
  problem,
  release,
  showRuns,
} from "../state/list.js";
import { call, may } from "../wire/api.js";
import { Row, batchChip } from "./row.js";

const Starts = lazy(
  async () => (await import("./starts.js")).Starts,
  () => null,
);

const CHIPS = ["waiting", "running", "paused", "failed", "completed", "cancelled"];
/** Shown only if there are any. */
const RARE = ["idle", "queued", "scheduled", "timed_out", "terminated"];
const HELD_BELOW_PX = 60;

/** Show another filter. @param {Record<string, string>} filter */
const goTo = (filter) => {
  const query = new URLSearchParams(filter).toString();
  go(query ? `/runs?${query}` : "/runs");
};

/** @param {Record<string, string>} filter @param {string[]} names */
const without = (filter, ...names) =>
  Object.fromEntries(Object.entries(filter).filter(([name]) => !names.includes(name)));

/** The index of the row that J and K move. @param {number} by */
function move(by) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("a.rr")]);
  const at = rows.findIndex((row) => row === document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
}

export function Runs() {
  const filter = filterOf(place.value.query);
  const text = JSON.stringify(filter);
  useEffect(() => {
    showRuns(JSON.parse(text));
    return leaveRuns;
  }, [text]);
  useEffect(() => {
    keys.set("j", () => move(1)).set("k", () => move(-1));
    return () => keys.clear();
  }, []);
  return [
    header(
      { class: "top" },
      h1(null, "Runs"),
      h(Search, { filter, key: text }),
      may("runs:write")
        ? button(
            { class: "btn", onClick: () => (dialog.value = "new") },
            icon("plus"),
            "New run ",
            kbd(null, "N"),
          )
        : null,
    ),
    h(Filters, { filter }),
    h(Table, { filter }),
  ];
}

/** @param {{filter: Record<string, string>}} props */
function Search({ filter }) {
  const labels = Object.entries(filter).filter(([name]) => name.startsWith("metadata."));
  const said = labels.map(([name, value]) => `${name.slice("metadata.".length)}=${value}`);
  const [text, setText] = useState([...said, filter.q ?? ""].join(" ").trim());
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    goTo({ ...without(filter, "q", ...labels.map(([name]) => name)), ...typed(text) });
  };
  return form(
    { class: "search", role: "search", onSubmit: submit },
    icon("search"),
    input({
      type: "search",
      value: text,
      "data-search": "",
      "aria-label": "Search runs",
      placeholder: "Search text, id, team=platform …",
      onInput: (/** @type {any} */ event) => {
        setText(event.target.value);
        if (!event.target.value) goTo(without(filter, "q", ...labels.map(([name]) => name)));
      },
    }),
    kbd(null, "/"),
  );
}

/** @param {{filter: Record<string, string>}} props */
function Filters({ filter }) {
  const by = counts.value?.by_status ?? {};
  const some = [...CHIPS, ...RARE.filter((status) => by[status] || filter.status === status)];
  const chip = (/** @type {string} */ status) => {
    const on = (filter.status ?? "") === status;
    const rest = without(filter, "status");
    return button(
      {
        class: cx("chip", on && "on"),
        "aria-pressed": on,
        onClick: () => goTo(status && !on ? { ...rest, status } : rest),
      },
      status ? glyph(status) : null,
      span(null, status ? WORD[status] : "All"),
      counts.value ? em(null, status ? (by[status] ?? 0) : counts.value.total) : null,
    );
  };
  return div(
    { class: "filters", role: "toolbar", "aria-label": "Filters" },
    ["", ...some].map(chip),
    batchChip(filter.batch, () => goTo(without(filter, "batch"))),
    i({ class: "sep" }),
    h(AgentChoice, { filter }),
    choice(
      "Time",
      filter.since ?? "",
      [
        ["", "Any time"],
        ["1h", "Last hour"],
        ["24h", "Last 24 h"],
        ["7d", "Last 7 days"],
      ],
      (since) => goTo({ ...without(filter, "since"), ...(since && { since }) }),
    ),
  );
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string[][]} options
 * @param {(v: string) => void} chosen
 */
const choice = (name, value, options, chosen) =>
  label(
    { class: cx("chip", "ghost", value && "on") },
    span({ class: "vh" }, name),
    select(
      { value, onChange: (/** @type {any} */ event) => chosen(event.target.value) },
      options.map(([key, word]) => option({ value: key, selected: key === value }, word)),
    ),
  );

/** @param {{filter: Record<string, string>}} props */
function AgentChoice({ filter }) {
  const [agents, setAgents] = useState(/** @type {string[]} */ ([]));
  useEffect(() => {
    if (!may("agents:read")) return;
    call("GET", "/v1/agents").then(
      (answer) => setAgents(answer.agents.map((/** @type {any} */ agent) => agent.name)),
      () => setAgents([]),
    );
  }, []);
  const known = filter.agent && !agents.includes(filter.agent) ? [...agents, filter.agent] : agents;
  if (!known.length) return null;
  const options = [["", "Any agent"], ...known.map((name) => [name, name])];
  return choice("Agent", filter.agent ?? "", options, (agent) =>
    goTo({ ...without(filter, "agent"), ...(agent && { agent }) }),
  );
}

/** @param {{filter: Record<string, string>}} props */
function Table({ filter }) {
  const found = listing.value;
  const runs = found?.runs ?? [];
  const scrolled = (/** @type {any} */ event) => {
    hold.on = event.currentTarget.scrollTop > HELD_BELOW_PX;
    if (!hold.on && listing.value?.held.length) release();
  };
  return div(
    {
      class: cx("table", !runs.length && "none"),
      role: "region",
      "aria-label": "Runs",
      tabIndex: 0,
      onScroll: scrolled,
    },
    found?.held.length
      ? button({ class: "btn fresh", onClick: show }, `${found.held.length} new`)
      : null,
    div(
      { class: "thead", "aria-hidden": "true" },
      span(null),
      span(null, "Run"),
      span(null, "Now"),
      span({ class: "c-l" }, "Line"),
      span({ class: "c-n" }, "Steps"),
      span({ class: "c-n" }, "Tools"),
      span({ class: "c-t2" }, "Tokens"),
      span({ class: "c-u" }, "Took"),
      span({ class: "c-a" }, "Started"),
    ),
    groups(runs).map(([word, some]) =>
      section(
        { class: "group", key: word },
        h2(null, word, em(null, some.length)),
        some.map((run) => h(Row, { key: run.run_id, run, now: tickOf(run) })),
      ),
    ),
    h(Ending, { filter, empty: !runs.length }),
  );
}

/** Ended runs are drawn again every ten seconds only. @param {any} run */
const tickOf = (run) => (run.ended_at ? Math.floor(now.value / 10_000) * 10_000 : now.value);

function show() {
  release();
  document.querySelector(".table")?.scrollTo({ top: 0 });
}

/** What stands below the rows. @param {{filter: Record<string, string>, empty: boolean}} props */
function Ending({ filter, empty }) {
  if (problem.value && !listing.value) {
    return div(
      { class: "empty", role: "alert" },
      logo(),
      h3(null, "The runs can't be read"),
      p(null, problem.value.message),
      button({ class: "btn quiet", onClick: () => showRuns(filter) }, "Try again"),
    );
  }
  if (!listing.value)
    return div({ class: "loading", "aria-label": "Loading" }, i(null), i(null), i(null));
  if (empty) return Object.keys(filter).length ? h(NoMatch, null) : h(NoRuns, null);
  const many = listing.value.runs.length;
  return p(
    { class: "end" },
    cursor.value
      ? button({ class: "btn quiet", onClick: more }, "Show older runs")
      : `${many === 1 ? "1 run" : `${many} runs`}, newest first`,
  );
}

const NoMatch = () =>
  div(
    { class: "empty" },
    logo(),
    h3(null, "No run fits these filters"),
    p(null, "Take one away, or look further back."),
    button({ class: "btn quiet", onClick: () => goTo({}) }, "Clear filters"),
  );

const NoRuns = () =>
  div(
    { class: "empty" },
    logo(),
    h3(null, "No runs yet"),
    p(
      null,
      "Start one here or from a terminal. The model ",
      code(null, "rehearsal"),
      " needs no key.",
    ),
    may("runs:write") ? h(Starts, null) : null,
    pre({ class: "out" }, 'relayline run "What is 6*7? See README.md" --watch'),
  );
