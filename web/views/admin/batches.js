/* Batches: many runs that were submitted together, and how far they are. */
import { h } from "../../vendor/preact.js";
import { b, button, code, div, h2, i, li, p, section, span, ul } from "../../parts/elements.js";
import { TONE, WORD, glyph, icon } from "../../parts/icons.js";
import { link } from "../../parts/navigation.js";
import { number, shortId } from "../../model/words.js";
import { useAnswer, usePages } from "../../state/read.js";
import { may } from "../../wire/api.js";
import {
  Confirm,
  Needs,
  exactly,
  fact,
  listed,
  open,
  pill,
  stale,
  standIn,
  top,
  topOf,
  when,
} from "./frame.js";

const EVERY_MS = 3000;
const MAX_SHOWN = 100;
/** What has ended comes first, what waits for a person last. */
const ORDER = [
  "completed",
  "cancelled",
  "failed",
  "timed_out",
  "terminated",
  "running",
  "waiting",
  "paused",
  "idle",
  "queued",
  "scheduled",
];

/**
 * The statuses that there are, with their counts.
 * @param {any} batch
 * @returns {[string, number][]}
 */
const counted = ({ by_status: by }) =>
  ORDER.filter((status) => by[status]).map((status) => [status, by[status]]);

/** @param {any} batch */
const stateOf = (batch) => (batch.ended ? pill("done", "Ended") : pill("run", "At work"));

export function Batches() {
  const found = usePages("/v1/batches", "batches", EVERY_MS);
  const row = (/** @type {any} */ batch) => h(Row, { key: batch.batch_id, batch });
  return [top("Batches"), listed(found, "batches", h(None, null), row)];
}

const None = () => [
  h2({ key: "a" }, "No batches yet"),
  p({ key: "b" }, code(null, "relayline batch FILE.jsonl"), " submits up to 1,000 runs at once."),
];

/** @param {{batch: any}} props */
const Row = ({ batch }) =>
  li(
    { class: "ad" },
    div(
      { class: "ad-what" },
      link(
        { href: `/batches/${encodeURIComponent(batch.batch_id)}` },
        code(null, shortId(batch.batch_id)),
      ),
      h(Progress, { batch }),
      div(
        { class: "ad-facts" },
        stateOf(batch),
        fact("runs", number(batch.accepted)),
        batch.rejected ? span({ class: "t-fail" }, number(batch.rejected), " rejected") : null,
        when(batch.created_at),
      ),
    ),
  );

/** A bar: its runs by status. @param {{batch: any}} props */
function Progress({ batch }) {
  const words = counted(batch).map(([status, count]) => `${count} ${WORD[status].toLowerCase()}`);
  return div(
    { class: "progress", role: "img", "aria-label": words.join(", ") || "no runs" },
    counted(batch).map(([status, count]) =>
      i({
        key: status,
        class: `tone-${TONE[status]}`,
        style: { flexGrow: count },
        title: `${WORD[status]}: ${count}`,
      }),
    ),
  );
}

/** @param {{id: string}} props */
export function Batch({ id }) {
  const at = `/v1/batches/${encodeURIComponent(id)}`;
  const found = useAnswer(at, EVERY_MS);
  const batch = found.value;
  return [
    topOf("Batches", "/batches", shortId(id), batch ? h(Acts, { batch, at, found }) : null),
    div(
      { class: "adm" },
      h(Needs, { scope: "runs:cancel", what: "To cancel it" }),
      stale(found),
      standIn(found, "batch", null),
      batch ? h(Body, { batch }) : null,
    ),
  ];
}

/** @param {{batch: any, at: string, found: any}} props */
function Acts({ batch, at, found }) {
  if (!may("runs:cancel") || batch.ended) return null;
  const cancel = () =>
    open(Confirm, {
      title: "Cancel every run of this batch?",
      about: "Runs that have ended stay as they are; those that have not started end at once.",
      word: "Cancel the batch",
      said: "Its runs are being cancelled",
      call: ["POST", `${at}/cancel`, {}],
      done: found.again,
    });
  return button({ class: "btn danger", onClick: cancel }, icon("stop"), "Cancel");
}

/** @param {{batch: any}} props */
const Body = ({ batch }) => [
  div(
    { class: "ad-facts wide", key: "facts" },
    stateOf(batch),
    fact("accepted", number(batch.accepted)),
    fact("rejected", number(batch.rejected.length)),
    batch.total < batch.accepted ? fact("erased", number(batch.accepted - batch.total)) : null,
    exactly(batch.created_at),
    code(null, batch.batch_id),
  ),
  h(Progress, { batch, key: "progress" }),
  div(
    { class: "chips", key: "counts" },
    link({ class: "chip", href: runsOf(batch) }, "All runs"),
    counted(batch).map(([status, count]) =>
      link(
        { class: "chip", key: status, href: `${runsOf(batch)}&status=${status}` },
        glyph(status),
        WORD[status],
        b(null, number(count)),
      ),
    ),
  ),
  batch.rejected.length ? h(Rejected, { batch, key: "rejected" }) : null,
];

/** @param {any} batch */
const runsOf = (batch) => `/runs?batch=${encodeURIComponent(batch.batch_id)}`;

/** @param {{batch: any}} props */
const Rejected = ({ batch }) =>
  section(
    { "aria-label": "Rejected" },
    h2(null, "Rejected"),
    ul(
      { class: "tries" },
      batch.rejected
        .slice(0, MAX_SHOWN)
        .map((/** @type {any} */ one) =>
          li(
            { key: one.index },
            b(null, `Run ${one.index + 1} of the request: `),
            one.problem.detail ?? one.problem.title,
          ),
        ),
    ),
    batch.rejected.length > MAX_SHOWN
      ? p({ class: "quiet" }, `and ${number(batch.rejected.length - MAX_SHOWN)} more`)
      : null,
  );
