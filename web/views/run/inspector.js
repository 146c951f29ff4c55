/* What the bar that is picked in the timeline stands for: times, attempts, arguments, result. */
import { h } from "../../vendor/preact.js";
import { clock, duration, exactly, money, number, quoted } from "../../model/words.js";
import {
  button,
  code,
  dd,
  div,
  dl,
  dt,
  h3,
  header,
  i,
  p,
  pre,
  section,
  span,
  table,
  tbody,
  td,
  tr,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";
import { copy } from "../../parts/shared.js";
import { Output, json } from "../../parts/output.js";
import { shown, view } from "../../state/run.js";
import { curlKey, may } from "../../wire/api.js";

const Fork = lazy(
  async () => (await import("./fork.js")).Fork,
  () => null,
);

/** True where this server knows forks, and one may start them. */
const forks = () => may("runs:write") && view.value && "forked_from" in view.value;

/** Segments that are attempts. */
const TRIES = new Set(["model", "tool", "fail", "void"]);

/**
 * @param {object} props
 * @param {import("../../model/timeline.js").Row} props.row
 * @param {number} props.end As ms since the start.
 * @param {() => void} props.close
 */
export function Inspector({ row, end, close }) {
  const { run, id } = shown.value;
  const step = row.key.startsWith("step-") ? run.steps.get(Number(row.key.slice(5))) : null;
  const tool = run.tools.get(row.key) ?? null;
  const item = run.byId.get(row.key) ?? null;
  const commands = commandsOf(id, { step, tool, item });
  return section(
    { class: "insp", "aria-label": "The picked bar" },
    header(
      null,
      i({ class: `sw k-${row.kind}` }),
      h3(null, row.label),
      code(null, row.key),
      button({ class: "icon sm", "aria-label": "Close", onClick: close }, icon("stop")),
    ),
    times(row, end, step, tool),
    h(Attempts, { row, end }),
    asked(tool, item),
    tool?.output || tool?.state === "completed"
      ? line(tool.state === "failed" ? "error" : "result", h(Output, { text: tool.output }))
      : null,
    tool?.truncated
      ? line("", span({ class: "t-wait sm" }, "The result is cut: the tool returned more."))
      : null,
    item?.kind === "ask" && item.data.state === "open" ? expiry(item.data) : null,
    commands.length ? h(Terminal, { commands }) : null,
    step && forks() ? h(Fork, { id, step: step.step }) : null,
  );
}

/** @param {string} word @param {any} what */
const line = (word, what) => div({ class: "kv" }, span(null, word), what);

/** @param {string} word @param {any} value @param {string} [title] */
const fact = (word, value, title) => div(null, dt(null, word), dd({ title }, value));

/**
 * @param {import("../../model/timeline.js").Row} row
 * @param {number} end
 * @param {any} step
 * @param {any} tool
 */
function times(row, end, step, tool) {
  const from = row.segments[0].from;
  const to = row.segments.at(-1)?.to ?? null;
  const start = shown.value.run.firstAt ?? 0;
  const open = to === null && shown.value.run.endedAt === null;
  const tries = row.segments.filter((it) => TRIES.has(it.kind)).length;
  const cost = money(step?.usage.cost);
  const { settings, fallbacks } = shown.value.run.head;
  return dl(
    null,
    fact("Started", `+${duration(from)}`, clock(start + from)),
    fact(open ? "Open for" : "Took", duration((to ?? end) - from)),
    tries ? fact("Attempts", tries) : null,
    step?.ended
      ? fact("Tokens", `${number(step.usage.input_tokens)} → ${number(step.usage.output_tokens)}`)
      : null,
    cost ? fact("Cost", cost, exactly(step?.usage.cost)) : null,
    step && settings ? fact("Settings", listed(settings)) : null,
    step && fallbacks ? fact("Falls back to", fallbacks.join(", ")) : null,
    tool?.output ? fact("Result", `${number(tool.output.length)} characters`) : null,
  );
}

/** @param {any} settings */
const listed = (settings) =>
  Object.entries(settings)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
    .join(", ");

/** @type {Record<string, [string, string]>} */
const ENDS = { fail: ["t-fail", ""], void: ["t-off", ""], model: ["t-done", "ok"] };

/** Each attempt, and what stands between them. @param {{row: any, end: number}} props */
function Attempts({ row, end }) {
  const { segments } = row;
  if (segments.length < 2) return null;
  let tries = 0;
  return table(
    { class: "tries-t" },
    tbody(
      null,
      segments.map((/** @type {any} */ one) => {
        const counts = TRIES.has(one.kind);
        if (counts) tries += 1;
        const [tone, word] = ENDS[one.kind] ?? ["t-done", "ok"];
        const said = (counts && word) || one.note;
        const how = one.to === null ? "runs" : said;
        return tr(
          { key: one.from },
          td(null, counts ? `attempt ${tries}` : ""),
          td({ class: counts && one.to !== null ? tone : "quiet" }, how),
          td(null, duration((one.to ?? end) - one.from)),
        );
      }),
    ),
  );
}

/** @param {any} tool @param {any} item */
function asked(tool, item) {
  if (tool) {
    const edited = tool.asked && JSON.stringify(tool.asked) !== JSON.stringify(tool.arguments);
    return [
      edited ? line("asked", json(tool.asked)) : null,
      line(edited ? "used" : "arguments", json(tool.arguments)),
    ];
  }
  if (item?.kind !== "ask") return null;
  if (item.data.question) return line("question", p({ class: "say sm" }, item.data.question));
  return item.data.arguments ? line("arguments", json(item.data.arguments)) : null;
}

/** @param {any} data */
const expiry = (data) =>
  line(
    "waits",
    p(
      { class: "quiet sm" },
      "A waiting run holds no worker and outlives restarts.",
      data.expires_at ? ` Undecided by ${clock(data.expires_at)} means denied.` : "",
    ),
  );

/**
 * What does or shows the same in a terminal.
 * @param {string} id
 * @param {{step: any, tool: any, item: any}} picked
 */
function commandsOf(id, { step, tool, item }) {
  if (item?.kind === "ask" && item.data.state === "open") {
    if (item.data.kind === "input") return [`relayline answer ${id} "…"`];
    return [`relayline approve ${id} ${item.id}`, `relayline deny ${id} ${item.id} --note "…"`];
  }
  if (item?.kind === "pause" && item.data.state === "open") return [`relayline resume ${id}`];
  const from = step?.from ?? tool?.from;
  if (!from) return [];
  const url = `${location.origin}/v1/runs/${id}/events?after=${from - 1}&deltas=none`;
  return [`curl ${curlKey()}${quoted(url)}`];
}

/** @param {{commands: string[]}} props */
const Terminal = ({ commands }) =>
  line(
    "terminal",
    div(
      { class: "term" },
      pre({ class: "out", tabIndex: 0 }, commands.join("\n")),
      button(
        {
          class: "icon sm",
          "aria-label": "Copy the command",
          onClick: () => copy(commands.join("\n"), "Command"),
        },
        icon("copy"),
      ),
    ),
  );
