/* The run's line as bars: a bar leads to its place in the transcript. */
import { h } from "../../vendor/preact.js";
import { useMemo, useState } from "../../vendor/hooks.js";
import { signal } from "../../vendor/signals.js";
import { axisOf, ticksOf } from "../../model/axis.js";
import { rowsOf } from "../../model/timeline.js";
import { duration } from "../../model/words.js";
import { b, button, cx, div, em, i, p, s, span, u } from "../../parts/elements.js";
import { lazy } from "../../parts/lazy.js";
import { now } from "../../parts/shared.js";
import { shown } from "../../state/run.js";
import { reveal } from "./transcript.js";

const Inspector = lazy(async () => (await import("./inspector.js")).Inspector);
const Paging = lazy(
  async () => (await import("./paging.js")).Paging,
  () => null,
);
/** So many rows are shown at a time. */
const MAX_ROWS = 120;
/** The key of the row that is picked, empty for none; of which run. */
const picked = signal({ run: "", key: "" });

const percent = (/** @type {number} */ value) => `${value.toFixed(2)}%`;

/** Null until somebody has picked. */
const chosen = () => (picked.value.run === shown.value.id ? picked.value.key : null);

/** @param {string} key */
const choose = (key) => (picked.value = { run: shown.value.id, key });

/** Pick a row and show its part of the transcript; twice: pick none. @param {string} key */
function pick(key) {
  choose(chosen() === key ? "" : key);
  if (chosen()) reveal(key);
}

/** What waits is shown before anything is picked. */
const isOpenWait = (/** @type {import("../../model/timeline.js").Row} */ { kind, segments }) =>
  kind === "wait" && segments.at(-1)?.to === null;

/** Arrow keys move from row to row, and what is picked with them. @param {KeyboardEvent} event */
function moved(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const at = /** @type {Element} */ (event.target).closest(".wr");
  if (!by || !at?.parentElement) return;
  const rows = /** @type {HTMLElement[]} */ ([...at.parentElement.querySelectorAll(".wr")]);
  const next = rows[rows.indexOf(/** @type {any} */ (at)) + by];
  event.preventDefault();
  if (!next) return;
  next.focus();
  if (chosen()) choose(next.dataset.row ?? "");
}

export function Timeline() {
  const { run, version } = shown.value;
  const all = useMemo(() => rowsOf(run), [version]);
  const [back, setBack] = useState(0);
  const until = Math.max(Math.min(MAX_ROWS, all.length), all.length - back);
  const rows = all.slice(Math.max(0, until - MAX_ROWS), until);
  const start = run.firstAt ?? 0;
  const last = Math.max(run.endedAt ?? 0, run.lastAt ?? 0, run.endedAt ? 0 : now.value) - start;
  const end = Math.max(1, last);
  const axis = axisOf(rows, end);
  if (!rows.length) return null;
  const key = chosen();
  const on = key === null ? rows.findLast(isOpenWait) : rows.find((row) => row.key === key);
  const chart = div(
    { class: "wf" },
    head(axis, end),
    div(
      { class: "rows", onKeyDown: moved },
      grid(axis, end, run.endedAt === null),
      rows.map((row) => bar(row, axis, end, run.endedAt !== null, row === on)),
    ),
    legend(),
    all.length > rows.length
      ? h(Paging, {
          from: until - rows.length + 1,
          until,
          all: all.length,
          go: (/** @type {number} */ by) => setBack(all.length - until + by * MAX_ROWS),
        })
      : null,
  );
  const close = () => choose("");
  const inspector = on
    ? h(Inspector, { row: on, end, close })
    : p({ class: "hint" }, "Pick a bar to see its attempts, arguments and result.");
  return [chart, inspector];
}

/** @param {ReturnType<typeof axisOf>} axis @param {number} end */
const head = (axis, end) =>
  div(
    { class: "axis", "aria-hidden": "true" },
    span(null),
    div(
      null,
      ticksOf(axis, end).map((at) =>
        span({ style: { left: percent(axis.x(at)) } }, at ? short(at) : "0"),
      ),
      axis.folds.map(([from, to]) =>
        b(
          { style: { left: percent(axis.x(from)), width: percent(axis.x(to) - axis.x(from)) } },
          duration(to - from),
        ),
      ),
    ),
  );

/** @param {number} at */
const short = (at) => duration(at).replace(".0 s", " s").replace(" 00 s", "");

/** @param {ReturnType<typeof axisOf>} axis @param {number} end @param {boolean} open */
const grid = (axis, end, open) =>
  div(
    { class: "grid", "aria-hidden": "true" },
    span(null),
    div(
      null,
      ticksOf(axis, end).map((at) => u({ style: { left: percent(axis.x(at)) } })),
      open ? u({ class: "now", style: { left: "100%" } }) : null,
      axis.folds.map(([from, to]) =>
        s({ style: { left: percent(axis.x(from)), width: percent(axis.x(to) - axis.x(from)) } }),
      ),
    ),
  );

/** Where the words of a bar stand: behind it, before it, or in it. */
function placeOf(/** @type {number} */ left, /** @type {number} */ right) {
  if (right <= 84) return { class: "", style: { left: percent(right + 0.8) } };
  if (left > 24) return { class: "", style: { right: percent(100 - left + 0.8) } };
  return { class: "in", style: { left: percent((left + right) / 2) } };
}

/**
 * @param {import("../../model/timeline.js").Row} row
 * @param {ReturnType<typeof axisOf>} axis
 * @param {number} end
 * @param {boolean} ended
 * @param {boolean} on It is the one that is looked at.
 */
function bar(row, axis, end, ended, on) {
  const from = row.segments[0].from;
  const to = row.segments.at(-1)?.to ?? null;
  const open = to === null && !ended;
  const long = duration((to ?? end) - from);
  const place = placeOf(axis.x(from), axis.x(to ?? end));
  return button(
    {
      class: cx("wr", `d${row.depth}`, on && "on"),
      key: row.key,
      "data-row": row.key,
      "aria-pressed": on,
      onClick: () => pick(row.key),
    },
    span(
      { class: "wl" },
      i({ class: `sw k-${row.kind}` }),
      b(null, row.label),
      " ",
      em(null, row.sub),
    ),
    " ",
    span(
      { class: "wb" },
      row.segments.map((one) => piece(one, axis, end, ended)),
      em(
        { ...place, class: cx(place.class, `k-${row.kind}`) },
        open && row.kind === "wait" ? "waits " : "",
        long,
      ),
    ),
  );
}

/**
 * @param {import("../../model/axis.js").Segment} one
 * @param {ReturnType<typeof axisOf>} axis
 * @param {number} end
 * @param {boolean} ended
 */
function piece(one, axis, end, ended) {
  const left = axis.x(one.from);
  const width = Math.max(0.5, axis.x(one.to ?? end) - left);
  return i({
    class: cx("bar", `k-${one.kind}`, one.to === null && !ended && "open"),
    style: { left: percent(left), width: percent(width) },
    title: `${one.note} · ${duration((one.to ?? end) - one.from)}`,
  });
}

const KINDS = [
  ["model", "model"],
  ["tool", "tool"],
  ["wait", "waits for you"],
  ["fail", "failed"],
  ["void", "void"],
  ["gap", "back-off, lost worker"],
];

const legend = () =>
  div(
    { class: "legend" },
    KINDS.map(([kind, word]) => span(null, i({ class: `k-${kind}` }), word)),
  );
