/* One run in the list. */
import { ago, duration, exactly, money, number, shortId } from "../model/words.js";
import { doing } from "../model/doing.js";
import { LATER, isOpen, tokensOf } from "../model/listing.js";
import { stripOf } from "../model/timeline.js";
import { b, button, code, cx, em, i, memo, small, span, tags, time } from "../parts/elements.js";
import { glyph, icon } from "../parts/icons.js";
import { link } from "../parts/navigation.js";

/** @param {any} run @param {number} now */
function told(run, now) {
  const [tone, word, what] = doing(run, now);
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

/** Says that only the runs of a batch are shown. @param {string} batch @param {() => void} clear */
export const batchChip = (batch, clear) =>
  batch
    ? button({ class: "chip on", onClick: clear }, "of batch ", shortId(batch), icon("stop"))
    : null;

/** @param {{run: any, now: number}} props */
function draw({ run, now }) {
  const from = Date.parse(run.start_at ?? run.created_at);
  const until = run.ended_at ? Date.parse(run.ended_at) : now;
  const tokens = tokensOf(run.usage, isOpen(run));
  return link(
    { class: `rr ${run.status}`, href: `/runs/${run.run_id}`, "data-id": run.run_id },
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
    told(run, now),
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
        ago(now - Date.parse(run.created_at)),
      ),
    ),
  );
}

export const Row = memo(draw);
