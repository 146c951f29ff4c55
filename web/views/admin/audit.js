/* The audit log: who did what, oldest first. */
import { h } from "../../vendor/preact.js";
import { useRef, useState } from "../../vendor/hooks.js";
import {
  b,
  button,
  code,
  div,
  form,
  input,
  label,
  option,
  p,
  select,
  small,
  span,
  table,
  tbody,
  td,
  th,
  thead,
  tr,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { go, link, place } from "../../parts/navigation.js";
import { ago, brief, clock, shortId, visible } from "../../model/words.js";
import { now } from "../../parts/shared.js";
import { useRead } from "../../state/read.js";
import { call, may } from "../../wire/api.js";
import { stale, standIn, top } from "./frame.js";

const EVERY_MS = 5000;
const PAGE = 100;
/** What the log has rows of. */
const ACTIONS = [
  "run.submit",
  "run.pause",
  "run.resume",
  "run.redirect",
  "run.cancel",
  "run.answer",
  "run.message",
  "run.close",
  "run.erase",
  "approval.decide",
  "batch.submit",
  "file.upload",
  "batch.cancel",
  "schedule.create",
  "schedule.change",
  "schedule.trigger",
  "schedule.delete",
  "webhook.register",
  "webhook.remove",
  "webhook.rotate",
  "webhook.test",
  "webhook.enable",
  "webhook.redeliver",
  "key.create",
  "key.rotate",
  "key.revoke",
  "quotas.set",
  "quotas.remove",
  "tenant-key.create",
  "tenant-key.erase",
  "tenant-key.erased",
  "request.denied",
];
/** How far back, in hours. @type {Record<string, number>} */
const SPANS = { "1h": 1, "24h": 24, "7d": 168 };
const FIELDS = ["action", "subject", "run_id", "tenant"];
const RUN_ID = /^run_[0-9a-z]{16,64}$/;

/** The filter in the page's own address. @param {URLSearchParams} query */
function filterOf(query) {
  /** @type {Record<string, string>} */
  const filter = {};
  for (const name of [...FIELDS, "since"]) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  return filter;
}

/** The API's query. A day is shown unless the address says otherwise. @param {any} filter */
function queryOf({ since = "24h", ...filter }) {
  const query = new URLSearchParams(filter);
  if (SPANS[since]) {
    query.set("from", new Date(Date.now() - SPANS[since] * 3_600_000).toISOString());
  }
  query.set("limit", String(PAGE));
  return query.toString();
}

/** The rows of a filter; as many pages as were asked for. @param {Record<string, string>} filter */
function useRows(filter) {
  const key = JSON.stringify(filter);
  const shown = useRef({ key: "", query: "", pages: 1 });
  if (shown.current.key !== key) shown.current = { key, query: queryOf(filter), pages: 1 };
  const read = async () => {
    const items = [];
    let after = 0;
    for (let page = 0; page < shown.current.pages; page += 1) {
      const answer = await call("GET", `/v1/audit?${shown.current.query}&after=${after}`);
      items.push(...answer.items);
      if (answer.items.length < PAGE) return { items, isAll: true };
      after = answer.next;
    }
    return { items, isAll: false };
  };
  const found = useRead(key, read, EVERY_MS);
  const more = () => {
    shown.current.pages += 1;
    return found.again();
  };
  return { ...found, more };
}

export function Audit() {
  const filter = filterOf(place.value.query);
  const found = useRows(filter);
  const rows = found.value?.items ?? [];
  return [
    top("Audit log"),
    h(Filters, { filter, key: JSON.stringify(filter) }),
    div(
      { class: "adm" },
      stale(found),
      standIn(found, "audit log", rows.length ? null : p(null, "No row fits.")),
      rows.length ? h(Rows, { rows }) : null,
      found.value && !found.value.isAll
        ? p(
            { class: "end" },
            button({ class: "btn quiet", onClick: found.more }, "Show later rows"),
          )
        : null,
      p(
        { class: "end" },
        "Each row has a hash over itself and the row before. ",
        code(null, "relayline audit verify"),
        " checks the whole chain.",
      ),
    ),
  ];
}

/** @param {Record<string, string>} filter */
const goTo = (filter) => {
  const given = Object.entries(filter).filter(([, value]) => value);
  const query = new URLSearchParams(Object.fromEntries(given)).toString();
  go(query ? `/audit?${query}` : "/audit");
};

/** @param {{filter: Record<string, string>}} props */
function Filters({ filter }) {
  const [typed, setTyped] = useState({ subject: "", run_id: "", tenant: "", ...filter });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    goTo({ ...filter, ...typed });
  };
  const choose = (
    /** @type {string} */ name,
    /** @type {string} */ word,
    /** @type {string[][]} */ options,
  ) => {
    const value = filter[name] ?? options[0][0];
    const chosen = (/** @type {any} */ event) => goTo({ ...filter, [name]: event.target.value });
    return label(
      { class: "chip ghost" },
      span({ class: "vh" }, word),
      select(
        { value, onChange: chosen },
        options.map(([key, said]) => option({ value: key, key, selected: key === value }, said)),
      ),
    );
  };
  const text = (/** @type {"subject" | "run_id" | "tenant"} */ name, /** @type {string} */ word) =>
    label(
      { class: "chip ghost typed" },
      span({ class: "vh" }, word),
      input({
        value: typed[name],
        placeholder: word,
        spellcheck: false,
        onInput: (/** @type {any} */ event) => setTyped({ ...typed, [name]: event.target.value }),
      }),
    );
  return form(
    { class: "filters", role: "search", onSubmit: submit },
    choose("since", "Time", [
      ["24h", "Last 24 h"],
      ["1h", "Last hour"],
      ["7d", "Last 7 days"],
      ["all", "Any time"],
    ]),
    choose("action", "Action", [["", "Any action"], ...ACTIONS.map((it) => [it, it])]),
    text("subject", "Who"),
    text("run_id", "Run id"),
    may("tenants:admin") ? text("tenant", "Tenant") : null,
    button({ class: "btn quiet" }, icon("search"), "Filter"),
  );
}

/** @param {{rows: any[]}} props */
const Rows = ({ rows }) =>
  table(
    { class: "log" },
    thead(
      null,
      tr(
        null,
        ["When", "Who", "Action", "Target", "Outcome", "Details"].map((word) =>
          th({ key: word, scope: "col" }, word),
        ),
      ),
    ),
    tbody(
      null,
      rows.map((row) => h(Row, { key: `${row.tenant} ${row.seq}`, row })),
    ),
  );

/** @param {{row: any}} props */
const Row = ({ row }) =>
  tr(
    null,
    td(
      { title: `${row.at} · row ${row.seq} · ${row.hash}` },
      ago(now.value - Date.parse(row.at)),
      small(null, clock(row.at)),
    ),
    td(
      null,
      b(null, visible(row.subject) || "nobody known"),
      small(null, [row.via, row.key_id, row.address].filter(Boolean).join(" · ")),
    ),
    td(null, code(null, row.action)),
    td(
      null,
      RUN_ID.test(row.target)
        ? link({ href: `/runs/${row.target}` }, code(null, shortId(row.target)))
        : code({ title: row.target }, visible(row.target)),
    ),
    td({ class: /^(accepted|repeated)$/.test(row.outcome) ? "" : "t-fail" }, row.outcome),
    td({ class: "quiet" }, brief(row.detail)),
  );
