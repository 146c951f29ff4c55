/* The rows of the list, in groups; those far from what is seen are a line of text each. */
import { h } from "../../vendor/preact.js";
import { useLayoutEffect, useMemo } from "../../vendor/hooks.js";
import { computed, signal } from "../../vendor/signals.js";
import { doing, groups, isOpen } from "../../model/listing.js";
import { barsOf } from "../../model/axis.js";
import {
  LATER,
  ago,
  duration,
  exactly,
  money,
  number,
  shortId,
  tokensOf,
} from "../../model/words.js";
import {
  b,
  button,
  code,
  cx,
  div,
  em,
  h2,
  h3,
  i,
  p,
  section,
  small,
  span,
  tags,
  time,
} from "../../parts/elements.js";
import { glyph, logo } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";
import { link } from "../../parts/navigation.js";
import { useNear } from "../../parts/near.js";
import { now, slowly } from "../../parts/shared.js";
import { cursor, hold, listing, more, problem, release, showRuns } from "../../state/list.js";

const None = lazy(
  async () => (await import("./none.js")).None,
  () => null,
);
const HELD_BELOW_PX = 60;
/** So many rows are drawn in full before the browser has looked which are in view. */
const FIRST = 30;
/** Rows follow the clock in turns: a frame of the screen then draws only some of them. */
const TURNS = 4;
const TURN_MS = 1000 / TURNS;
const clocks = Array.from({ length: TURNS }, () => signal(now.value));

/** While a list is shown, its clocks go; they begin with the time of now. */
function wound() {
  for (const clock of clocks) clock.value = now.peek();
  return now.subscribe((at) =>
    clocks.forEach((clock, turn) => {
      setTimeout(() => (clock.value = at + turn * TURN_MS), turn * TURN_MS);
    }),
  );
}

/** @param {{filter: Record<string, string>}} props */
export function Table({ filter }) {
  useLayoutEffect(wound, []);
  const found = listing.value;
  const runs = found?.runs ?? [];
  let place = 0;
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
        some.map((run) => rowOf(run, place++ < FIRST)),
      ),
    ),
    h(Ending, { filter, empty: !runs.length }),
  );
}

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
  if (empty) return h(None, { filtered: Object.keys(filter).length > 0 });
  const many = listing.value.runs.length;
  return p(
    { class: "end" },
    cursor.value
      ? button({ class: "btn quiet", onClick: more }, "Show older runs")
      : `${many === 1 ? "1 run" : `${many} runs`}, newest first`,
  );
}

/** The elements of rows, by what is known of the run: one that is not new is not looked at. */
const made = new WeakMap();

/** @param {any} run @param {boolean} first */
function rowOf(run, first) {
  const row = made.get(run) ?? h(Place, { key: run.run_id, run, first });
  made.set(run, row);
  return row;
}

/** A row is drawn again when its run is another, or comes near. @param {any} props */
function Place({ run, first }) {
  const { ref, near, height } = useNear(".table", first);
  const style = near || !height ? undefined : { "--row": `${height}px` };
  return link(
    {
      class: cx("rr", run.status, !near && "far"),
      href: `/runs/${run.run_id}`,
      "data-id": run.run_id,
      ref,
      style,
    },
    near ? h(Cells, { run }) : words(run),
  );
}

/** What one finds a run by in the page. @param {any} run */
function words(run) {
  const { title, run_id: id, agent, metadata } = run;
  return [title || id, agent, shortId(id), ...Object.values(metadata ?? {})].join(" ");
}

/**
 * What time changes in a row: each is a text or an attribute of its own, so that a second that
 * passes draws no row again.
 * @param {any} run
 */
function useTimes(run) {
  return useMemo(() => {
    const turn = run.run_id.charCodeAt(run.run_id.length - 1) % TURNS;
    const clock = isOpen(run) ? clocks[turn] : slowly;
    const created = Date.parse(run.created_at);
    const from = Date.parse(run.start_at ?? run.created_at);
    const end = () => (run.ended_at ? Date.parse(run.ended_at) : clock.value);
    const said = () => doing(run, clock.value);
    return {
      does: computed(() => said()[2]),
      whole: computed(() => said().slice(1).filter(Boolean).join(" ")),
      line: computed(() => barsOf(run.line ?? [], end() - created)),
      took: computed(() => duration(end() - from)),
      ago: computed(() => ago(clock.value - created)),
    };
  }, [run]);
}

/** @param {{run: any}} props */
function Cells({ run }) {
  const times = useTimes(run);
  const tokens = tokensOf(run.usage, isOpen(run));
  return [
    span({ class: "c-g", key: "g" }, glyph(run.status)),
    span(
      { class: "c-t", key: "t" },
      b({ title: run.title }, run.title || run.run_id),
      small(
        null,
        span({ class: "ag" }, run.agent ?? ""),
        code(null, shortId(run.run_id)),
        tags(run.metadata),
      ),
    ),
    told(run, times),
    span({ class: "c-l", "aria-hidden": "true", key: "l" }, h(Line, { bars: times.line })),
    span({ class: "c-n", key: "s" }, run.step),
    span({ class: "c-n", key: "n" }, run.tool_calls || em(null, "0")),
    span(
      { class: "c-t2", title: tokens === null ? LATER : exactly(run.usage.cost), key: "t2" },
      tokens === null ? "–" : number(tokens),
      run.usage.cost ? em(null, money(run.usage.cost)) : null,
    ),
    span({ class: "c-u", key: "u" }, times.took),
    span(
      { class: "c-a", key: "a" },
      time({ datetime: run.created_at, title: run.created_at }, times.ago),
    ),
  ];
}

/** @param {any} run @param {ReturnType<typeof useTimes>} times */
function told(run, times) {
  const [tone, word] = doing(run, now.peek());
  return span(
    { class: "c-d", title: times.whole, key: "d" },
    word ? span({ class: tone === "quiet" ? tone : `t-${tone}` }, word) : null,
    word ? " " : null,
    times.does,
  );
}

/** Where its time went. @param {{bars: import("../../vendor/signals.js").Signal<string>}} props */
function Line({ bars }) {
  if (!bars.value) return null;
  return bars.value.split("\n").map((bar) => {
    const [kind, left, width, open] = bar.split(" ");
    return i({
      class: cx("bar", `k-${kind}`, open && "open"),
      style: { left: `${left}%`, width: `${width}%` },
    });
  });
}
