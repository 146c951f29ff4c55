/* One run: its head, the transcript, and beside it events and details. */
import { h } from "../../vendor/preact.js";
import { useEffect } from "../../vendor/hooks.js";
import { signal } from "../../vendor/signals.js";
import { runStatus, usageOf } from "../../model/run.js";
import { duration, money, number, shortId } from "../../model/words.js";
import {
  a,
  b,
  button,
  code,
  cx,
  div,
  em,
  h1,
  h2,
  h3,
  header,
  i,
  nav,
  p,
  section,
  span,
  u,
} from "../../parts/elements.js";
import { TONE, WORD, glyph, icon, logo } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";
import { link } from "../../parts/navigation.js";
import { copy, dialog, heading, keys, now } from "../../parts/shared.js";
import { notice, showRun, shown, view, viewProblem } from "../../state/run.js";
import { may } from "../../wire/api.js";
import { state } from "../../wire/live.js";
import { useCommand } from "../../parts/commands.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";
import { tags } from "../row.js";

const ENDED = new Set(["completed", "failed", "cancelled", "timed_out", "terminated"]);
/** @type {("timeline" | "events" | "details")[]} */
const PARTS = ["timeline", "events", "details"];
/** @type {Record<string, any>} */
const VIEWS = {
  timeline: Timeline,
  events: lazy(async () => (await import("./events.js")).Events),
  details: lazy(async () => (await import("./details.js")).Details),
};
/** Which part a narrow screen shows, and which tab a wide one. */
const pane = signal("transcript");
const tab = signal("timeline");

/** @param {"transcript" | "timeline" | "events" | "details"} name */
function open(name) {
  pane.value = name;
  if (name !== "transcript") tab.value = name;
}

/** @param {{id: string}} props */
export function RunPage({ id }) {
  useEffect(() => {
    pane.value = "transcript";
    showRun(id);
    PARTS.forEach((name, at) => keys.set(String(at + 1), () => open(name)));
    return () => keys.clear();
  }, [id]);
  const { run, loaded, id: known } = shown.value;
  const refused = state.value.at === "refused" ? state.value.problem : null;
  if (known !== id) return null;
  if (!loaded && refused) return h(Missing, { problem: refused });
  if (!loaded)
    return div({ class: "loading tall", "aria-label": "Loading" }, i(null), i(null), i(null));
  const asks = run.waits.open.size;
  return [
    h(Head, { id }),
    notice.value
      ? div({ class: "bar-note wait", role: "status" }, icon("warn"), span(null, notice.value))
      : null,
    nav(
      { class: "panes", "aria-label": "Parts of the run" },
      ["transcript", ...PARTS].map((name) =>
        button(
          {
            class: pane.value === name ? "on" : "",
            onClick: () => open(/** @type {any} */ (name)),
          },
          name[0].toUpperCase() + name.slice(1),
          name === "transcript" && asks ? i({ class: "dot wait" }) : null,
        ),
      ),
    ),
    div(
      { class: `split pane-${pane.value} tab-${tab.value}` },
      section(
        { class: "left", "aria-label": "Transcript" },
        h2({ class: "vh" }, "Transcript"),
        h(Transcript, { id }),
      ),
      section(
        { class: "right", "aria-label": "More of the run" },
        h2({ class: "vh" }, "More of the run"),
        h(Tabs, null),
        div({ class: "tabbody" }, h(VIEWS[tab.value], null)),
      ),
    ),
  ];
}

function Tabs() {
  const count = number(shown.value.run.events.length);
  const one = (/** @type {string} */ name, /** @type {string} */ word, /** @type {any} */ more) =>
    button(
      {
        role: "tab",
        "aria-selected": tab.value === name,
        class: tab.value === name ? "on" : "",
        onClick: () => (tab.value = name),
      },
      word,
      more,
    );
  return div(
    { class: "tabs" },
    div(
      { role: "tablist", "aria-label": "More of the run" },
      one("timeline", "Timeline", null),
      one("events", "Events", em(null, count)),
      one("details", "Details", null),
    ),
  );
}

/** @param {{id: string}} props */
function Head({ id }) {
  const { run } = shown.value;
  const status = runStatus(run);
  const head = run.head;
  const title = head.title || firstWords(run) || id;
  useEffect(() => {
    heading.value = title.slice(0, 60);
  }, [title]);
  const started = run.firstAt ?? now.value;
  const took = (run.endedAt ?? Math.max(now.value, run.lastAt ?? 0)) - started;
  return header(
    { class: "head" },
    div(
      { class: "crumb" },
      link({ href: "/runs" }, "Runs"),
      i(null, "/"),
      code(null, shortId(id)),
      button(
        { class: "icon sm", "aria-label": "Copy the run's id", onClick: () => copy(id, "Run id") },
        icon("copy"),
      ),
    ),
    div(
      { class: "ttl" },
      glyph(status),
      h1({ title }, title),
      div(
        { class: "acts" },
        h(Actions, { id, status, pausing: isPausing(run), input: inputOf(run) }),
      ),
    ),
    div(
      { class: "facts" },
      span({ class: `pill ${TONE[status]}`, "data-status": status }, WORD[status]),
      span(null, head.agent),
      span(null, head.model),
      span(null, duration(took)),
      h(Used, null),
      tags(head.metadata, 8),
      view.value?.links.temporal_ui
        ? a(
            { href: view.value.links.temporal_ui, target: "_blank", rel: "noopener noreferrer" },
            "Temporal ",
            icon("ext"),
          )
        : null,
      view.value?.attention && !ENDED.has(status)
        ? span({ class: "t-wait" }, view.value.attention)
        : null,
    ),
  );
}

/** @param {import("../../model/run.js").Run} run */
const inputOf = (run) => run.items.find((item) => item.kind === "user")?.data.text ?? "";

/** @param {import("../../model/run.js").Run} run */
const firstWords = (run) => inputOf(run).slice(0, 120);

/** Steps and tokens against the limits, and the cost. */
function Used() {
  const { run } = shown.value;
  const limits = run.head.limits ?? view.value?.limits;
  const usage = usageOf(run);
  const tokens = usage.input_tokens + usage.output_tokens;
  const meter = (/** @type {number} */ used, /** @type {number} */ most) =>
    i(
      { class: "meter" },
      u({ style: { width: `${Math.max(3, Math.min(100, (used / most) * 100))}%` } }),
    );
  const steps = run.steps.size;
  const cost = money(usage.cost ?? view.value?.usage.cost);
  return [
    span(
      { key: "steps" },
      "step ",
      b(null, steps),
      limits ? ` of ${number(limits.max_steps)}` : "",
      limits ? meter(steps, limits.max_steps) : null,
    ),
    span(
      { key: "tokens" },
      b(null, number(tokens)),
      " tokens",
      limits ? meter(tokens, limits.max_tokens) : null,
    ),
    cost ? span({ key: "cost" }, b(null, cost)) : null,
  ];
}

/**
 * True while a pause waits for the running calls to end.
 * @param {import("../../model/run.js").Run} run
 */
const isPausing = (run) =>
  run.items.some(
    ({ kind, data }) => kind === "command" && data.kind === "pause" && data.state === "accepted",
  );

/** @param {{id: string, status: string, pausing: boolean, input: string}} props */
function Actions({ id, status, pausing, input }) {
  const { send, busy, problem } = useCommand(id, "");
  const paused = status === "paused";
  const pause = () => {
    if (paused) return send("resume", {}, "Resumed");
    return send("pause", pausing ? { now: true } : {}, "Paused");
  };
  const redirect = () => document.getElementById("say")?.focus();
  const cancel = () => (dialog.value = { cancel: id });
  const again = () => {
    const { agent, model, metadata } = shown.value.run.head;
    dialog.value = { again: { agent, model, metadata, input } };
  };
  const open = !ENDED.has(status);
  useEffect(() => {
    if (!open) return undefined;
    if (may("runs:steer")) keys.set("p", pause).set("r", redirect);
    if (may("runs:cancel")) keys.set("C", cancel);
    return () => ["p", "r", "C"].forEach((key) => keys.delete(key));
  }, [open, paused, pausing, id]);
  const act = (
    /** @type {any} */ name,
    /** @type {string} */ word,
    /** @type {any} */ onClick,
    key = "",
  ) =>
    button(
      {
        class: cx("btn", word === "Cancel" && "danger"),
        onClick,
        disabled: busy,
        title: key,
        "aria-label": word,
      },
      icon(name),
      span(null, word),
    );
  const word = paused ? "Resume" : pausing ? "Pause now" : "Pause";
  if (!open) return may("runs:write") ? act("turn", "Run again", again) : null;
  return [
    problem ? span({ class: "t-fail why-not", role: "alert" }, problem.message) : null,
    may("runs:steer") ? act(paused ? "play" : "pause", word, pause, "P") : null,
    may("runs:steer") ? act("turn", "Redirect", redirect, "R") : null,
    may("runs:cancel") ? act("stop", "Cancel", cancel, "Shift C") : null,
  ];
}

/** @param {{problem: import("../../wire/api.js").Problem}} props */
function Missing({ problem }) {
  const gone = problem.status === 410;
  const known = view.value;
  return div(
    { class: "empty tall", role: "alert" },
    logo(),
    h3(
      null,
      gone ? "No events of this run any more" : problem.status === 404 ? "No such run" : "Refused",
    ),
    p(null, problem.message),
    gone && known
      ? p(null, glyph(known.status), ` ${WORD[known.status]}. `, known.output ?? "")
      : null,
    gone && viewProblem.value ? p(null, viewProblem.value.message) : null,
    link({ class: "btn quiet", href: "/runs" }, "Back to runs"),
  );
}
