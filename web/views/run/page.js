/* One run: its head, the transcript, and beside it events and details. */
import { h } from "../../vendor/preact.js";
import { useEffect } from "../../vendor/hooks.js";
import { signal } from "../../vendor/signals.js";
import { number } from "../../model/words.js";
import { button, div, em, h2, i, nav, section, span } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";
import { link } from "../../parts/navigation.js";
import { keys } from "../../parts/shared.js";
import { notice, showRun, shown } from "../../state/run.js";
import { state } from "../../wire/live.js";
import { Divider } from "./divider.js";
import { Head } from "./head.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const Missing = lazy(async () => (await import("../missing.js")).Missing);
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
  const asks = run.waits.open.size + run.waits.below.length;
  return [
    h(Head, { id }),
    notice.value
      ? div(
          { class: "bar-note wait", role: "status" },
          icon("warn"),
          span(null, notice.value),
          link({ class: "btn text", href: "/system" }, "System"),
        )
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
      h(Divider, null),
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
        title: `Key ${PARTS.indexOf(/** @type {any} */ (name)) + 1}`,
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
