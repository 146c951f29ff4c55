/* The rows of the list, in groups; those far from what is seen are a line of text each. */
import { h } from "../../vendor/preact.js";
import { doing, groups, isOpen } from "../../model/listing.js";
import { stripOf } from "../../model/axis.js";
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
  memo,
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

/** @param {{filter: Record<string, string>}} props */
export function Table({ filter }) {
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
        some.map((run) => h(Row, { key: run.run_id, run, first: place++ < FIRST })),
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
    near ? cells(run) : words(run),
  );
}

const Row = memo((/** @type {any} */ props) => h(Place, props));

/** What one finds a run by in the page. @param {any} run */
function words(run) {
  const { title, run_id: id, agent, metadata } = run;
  return [title || id, agent, shortId(id), ...Object.values(metadata ?? {})].join(" ");
}

/** @param {any} run */
function cells(run) {
  const at = isOpen(run) ? now.value : slowly.value;
  const from = Date.parse(run.start_at ?? run.created_at);
  const until = run.ended_at ? Date.parse(run.ended_at) : at;
  const tokens = tokensOf(run.usage, isOpen(run));
  return [
    span({ class: "c-g" }, glyph(run.status)),
    span(
      { class: "c-t" },
      b({ title: run.title }, run.title || run.run_id),
      small(
        null,
        span({ class: "ag" }, run.agent ?? ""),
        code(null, shortId(run.run_id)),
        tags(run.metadata),
      ),
    ),
    told(run, at),
    span({ class: "c-l", "aria-hidden": "true" }, strip(run, until - Date.parse(run.created_at))),
    span({ class: "c-n" }, run.step),
    span({ class: "c-n" }, run.tool_calls || em(null, "0")),
    span(
      { class: "c-t2", title: tokens === null ? LATER : exactly(run.usage.cost) },
      tokens === null ? "–" : number(tokens),
      run.usage.cost ? em(null, money(run.usage.cost)) : null,
    ),
    span({ class: "c-u" }, duration(until - from)),
    span(
      { class: "c-a" },
      time(
        { datetime: run.created_at, title: run.created_at },
        ago(at - Date.parse(run.created_at)),
      ),
    ),
  ];
}

/** @param {any} run @param {number} at */
function told(run, at) {
  const [tone, word, what] = doing(run, at);
  const said = [word, what].filter(Boolean).join(" ");
  return span(
    { class: "c-d", title: said },
    word ? span({ class: tone === "quiet" ? tone : `t-${tone}` }, word) : null,
    word ? " " : null,
    what,
  );
}

/** Where its time went. @param {any} run @param {number} took */
const strip = (run, took) =>
  stripOf(run.line ?? [], took).map(({ kind, left, width, open }) =>
    i({
      class: cx("bar", `k-${kind}`, open && "open"),
      style: { left: `${left.toFixed(2)}%`, width: `${Math.max(0.6, width).toFixed(2)}%` },
    }),
  );
