/* One run in the list. */
import { ago, duration, money, number, shortId, visible } from "../model/words.js";
import { isOpen } from "../model/listing.js";
import { stripOf } from "../model/timeline.js";
import { b, button, code, cx, em, i, memo, small, span, time } from "../parts/elements.js";
import { glyph, icon } from "../parts/icons.js";
import { link } from "../parts/navigation.js";

/** @type {Record<string, string>} */
const ASKS = { approval: "approve", limit: "limit", input: "asks", resume: "paused" };
const DOES = /** @type {Record<string, string>} */ ({ model: "writing", tool: "tool" });

/** What a run is about, and what it needs. @param {any} run */
function doing(run) {
  if (run.attention) return [span({ class: "t-wait" }, "stuck"), " ", run.attention];
  if (run.status === "paused")
    return [span({ class: "t-pause" }, "paused"), " until somebody resumes it"];
  const [first, ...others] = run.waiting_for;
  if (first) {
    const more = others.length ? ` and ${others.length} more` : "";
    return [span({ class: "t-wait" }, ASKS[first.kind] ?? first.kind), " ", first.what, more];
  }
  if (run.error) return [span({ class: "t-fail" }, run.error.type), " ", run.error.message];
  if (run.status === "scheduled") return [span({ class: "quiet" }, "starts later")];
  const what = visible(run.now?.what ?? "");
  if (run.status === "idle") {
    const failed = run.now?.kind === "error";
    return [span({ class: failed ? "t-fail" : "quiet" }, failed ? "failed" : "idle"), " ", what];
  }
  if (!isOpen(run)) return what || null;
  return [span({ class: "t-run" }, DOES[run.now?.kind] ?? run.phase ?? run.status), " ", what];
}

/** Where its time went. @param {any} run @param {number} took */
const strip = (run, took) =>
  stripOf(run.line ?? [], took).map(({ kind, left, width, open }) =>
    i({
      class: cx("bar", `k-${kind}`, open && "open"),
      style: { left: `${left.toFixed(2)}%`, width: `${Math.max(0.6, width).toFixed(2)}%` },
    }),
  );

/** The metadata as labels. @param {any} metadata @param {number} [most] */
export const tags = (metadata, most = 2) =>
  Object.entries(metadata ?? {})
    .slice(0, most)
    .map(([name, value]) => span({ class: "tag", key: name }, em(null, name), value));

/** Says that only the runs of a batch are shown. @param {string} batch @param {() => void} clear */
export const batchChip = (batch, clear) =>
  batch
    ? button({ class: "chip on", onClick: clear }, "of batch ", shortId(batch), icon("stop"))
    : null;

/** @param {{run: any, now: number}} props */
function draw({ run, now }) {
  const from = Date.parse(run.start_at ?? run.created_at);
  const until = run.ended_at ? Date.parse(run.ended_at) : now;
  const tokens = run.usage.input_tokens + run.usage.output_tokens;
  return link(
    { class: `rr ${run.status}`, href: `/runs/${run.run_id}`, "data-id": run.run_id },
    span({ class: "c-g" }, glyph(run.status)),
    span(
      { class: "c-t" },
      b(null, run.title || run.run_id),
      small(
        null,
        span({ class: "ag" }, run.agent ?? ""),
        code(null, shortId(run.run_id)),
        tags(run.metadata),
      ),
    ),
    span({ class: "c-d" }, doing(run)),
    span({ class: "c-l", "aria-hidden": "true" }, strip(run, until - Date.parse(run.created_at))),
    span({ class: "c-n" }, run.step),
    span({ class: "c-n" }, run.tool_calls || em(null, "0")),
    span(
      { class: "c-t2", title: money(run.usage.cost) },
      number(tokens),
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
