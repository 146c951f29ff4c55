/* The list of runs: what waits for a person first. */
import { h } from "../../vendor/preact.js";
import { useEffect, useState } from "../../vendor/hooks.js";
import { filterOf, typed } from "../../model/listing.js";
import { shortId } from "../../model/words.js";
import {
  button,
  choice,
  cx,
  div,
  em,
  form,
  h1,
  header,
  i,
  input,
  kbd,
  span,
} from "../../parts/elements.js";
import { WORD, glyph, icon } from "../../parts/icons.js";
import { go, place } from "../../parts/navigation.js";
import { dialog, keys } from "../../parts/shared.js";
import { counts, leaveRuns, showRuns } from "../../state/list.js";
import { call, may } from "../../wire/api.js";
import { Table } from "./table.js";

const CHIPS = ["waiting", "running", "paused", "failed", "completed", "cancelled"];
/** Shown only if there are any. */
const RARE = ["idle", "queued", "scheduled", "timed_out", "terminated"];

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
    filter.batch
      ? button(
          { class: "chip on", onClick: () => goTo(without(filter, "batch")) },
          "of batch ",
          shortId(filter.batch),
          icon("stop"),
        )
      : null,
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
