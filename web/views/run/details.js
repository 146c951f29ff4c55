/* Figures of a run: usage by step, limits, cost, ids, links. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { countedOf, usageOf } from "../../model/usage.js";
import { clock, duration, exactly, money, number, quoted } from "../../model/words.js";
import {
  a,
  b,
  button,
  code,
  dd,
  div,
  dl,
  dt,
  em,
  h3,
  i,
  span,
  table,
  tbody,
  td,
  th,
  thead,
  tr,
  u,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { copy, explain, say } from "../../parts/shared.js";
import { link } from "../../parts/navigation.js";
import { shown, view } from "../../state/run.js";
import { call, curlKey } from "../../wire/api.js";

export function Details() {
  const { run, id } = shown.value;
  const limits = run.head.limits ?? view.value?.limits;
  return div(
    { class: "det" },
    h3(null, "Usage"),
    usage(run),
    limits ? bars(run, limits) : null,
    h3(null, "Run"),
    facts(run, id),
    div(
      { class: "rowacts" },
      button(
        { class: "btn quiet", onClick: () => copy(`relayline watch ${id}`, "Command") },
        icon("copy"),
        "Watch in a terminal",
      ),
      button(
        { class: "btn quiet", onClick: () => copy(curl(id), "cURL command") },
        icon("copy"),
        "Events as cURL",
      ),
      h(Save, { id }),
      view.value?.links.temporal_ui
        ? a(
            {
              class: "btn quiet",
              href: view.value.links.temporal_ui,
              target: "_blank",
              rel: "noopener noreferrer",
            },
            "Temporal",
            icon("ext"),
          )
        : null,
    ),
  );
}

/** Every event of the run, one in a line. */
async function allEvents() {
  const { id } = shown.value;
  /** @type {string[]} */
  const lines = [];
  for (let after = 0, more = true; more;) {
    const page = await call("GET", `/v1/runs/${id}/events?limit=1000&after=${after}`);
    for (const event of page.events) lines.push(`${JSON.stringify(event)}\n`);
    more = page.events.length > 0;
    after = page.next;
  }
  return lines;
}

/** Saves every event in a file, one in a line. @param {{id: string}} props */
function Save({ id }) {
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const file = new Blob(await allEvents(), { type: "application/x-ndjson" });
      const url = URL.createObjectURL(file);
      const anchor = document.createElement("a");
      Object.assign(anchor, { href: url, download: `${id}.ndjson` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      say(explain(error));
    }
    setBusy(false);
  };
  return button({ class: "btn quiet", disabled: busy, onClick: save }, icon("down"), "Save events");
}

/** @param {string} id */
const curl = (id) =>
  `curl -N ${curlKey()}-H 'Accept: text/event-stream' ` +
  quoted(`${location.origin}/v1/runs/${id}/events`);

/** @param {import("../../model/run.js").Run} run */
function usage(run) {
  const steps = [...run.steps.values()];
  const most = Math.max(1, ...steps.map((it) => it.usage.input_tokens + it.usage.output_tokens));
  const bar = (/** @type {string} */ kind, /** @type {number} */ tokens) =>
    i({ class: kind, style: { width: `${(tokens / most) * 94}%` } });
  const all = usageOf(run);
  const spent = all.cost ?? view.value?.usage.cost;
  const costs = spent || steps.some((it) => it.usage.cost);
  return table(
    { class: "use" },
    thead(
      null,
      tr(
        null,
        ["Step", "Input", "Output", null, ...(costs ? ["Cost"] : []), "Took"].map((word) =>
          th(null, word ?? span({ class: "vh" }, "Share")),
        ),
      ),
    ),
    tbody(
      null,
      steps.map(({ step, usage: used, endedAt, at }) =>
        tr(
          { key: step },
          td(null, step),
          td(null, endedAt ? number(used.input_tokens) : "–"),
          td(null, endedAt ? number(used.output_tokens) : "–"),
          td(
            { class: "bars" },
            bar("k-model", used.input_tokens),
            bar("k-tool", used.output_tokens),
          ),
          costs ? td({ title: exactly(used.cost) }, money(used.cost)) : null,
          td(null, endedAt ? duration(endedAt - at) : "…"),
        ),
      ),
      tr(
        { class: "sum" },
        td(null, "All"),
        td(null, number(all.input_tokens)),
        td(null, number(all.output_tokens)),
        td({ class: "bars" }),
        costs ? td({ title: exactly(spent) }, money(spent)) : null,
        td(null),
      ),
    ),
  );
}

/** @param {import("../../model/run.js").Run} run @param {any} limits */
function bars(run, limits) {
  const { turn, steps, calls, usage: used } = countedOf(run);
  const spent = used.cost ?? (turn ? null : view.value?.usage.cost);
  /** @type {[string, number, number, string?, string?][]} */
  const rows = [
    ["steps", steps, limits.max_steps],
    ["tool calls", calls, limits.max_tool_calls],
    ["tokens", used.input_tokens + used.output_tokens, limits.max_tokens],
  ];
  if (limits.max_cost) {
    const most = `$${limits.max_cost}`;
    rows.push(["cost", Number(spent?.amount ?? 0), limits.max_cost, money(spent) || "$0.00", most]);
  }
  const bar = rows.map(([word, amount, most, shown, limit]) =>
    div(
      { class: "lim", key: word },
      span(null, word),
      i(
        { class: "meter wide" },
        u({
          style: { width: `${Math.max(1, Math.min(100, (amount / (most || 1)) * 100))}%` },
        }),
      ),
      b(null, shown ?? number(amount)),
      em(null, `of ${limit ?? number(most)}`),
    ),
  );
  return [h3({ key: "h" }, turn ? `Limits of turn ${turn}` : "Limits"), ...bar];
}

/** Usage that is no part of the run's own, in words. @param {any} used */
function spent(used) {
  const tokens = used ? used.input_tokens + used.output_tokens : 0;
  return tokens ? [`${number(tokens)} tokens`, money(used.cost)].filter(Boolean).join(" · ") : null;
}

/** @param {import("../../model/run.js").Run} run @param {string} id */
function facts(run, id) {
  const { head } = run;
  const at = head.submitted_at ?? view.value?.created_at;
  /** @type {[string, any][]} */
  const rows = [
    ["Run id", code(null, id)],
    ["Agent", head.agent],
    ["Model", head.model],
    ["For", head.user ?? view.value?.user],
    ["Build", view.value?.build],
    ["Submitted", at ? clock(at) : "…"],
    ["Starts", head.start_at ? clock(head.start_at) : null],
    ["Ended", run.endedAt ? clock(run.endedAt) : null],
    ["Epoch", head.epoch || null],
    ["Batch", head.batch ? link({ href: `/batches/${head.batch}` }, head.batch) : null],
    [
      "Fork of",
      head.forked_from ? link({ href: `/runs/${head.forked_from}` }, head.forked_from) : null,
    ],
    ["Taken over", spent(view.value?.inherited_usage)],
    ["Runs below", spent(view.value?.child_usage)],
    ["Parent", head.parent ? link({ href: `/runs/${head.parent}` }, head.parent) : null],
    ...Object.entries(head.metadata ?? {}),
  ];
  return dl(
    { class: "kvs" },
    rows.filter(([, value]) => value).flatMap(([word, value]) => [dt(null, word), dd(null, value)]),
  );
}
