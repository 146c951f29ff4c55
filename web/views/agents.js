/* The agents of this server, with what their runs come to. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { inWords } from "../model/rule.js";
import { duration, money, number, visible } from "../model/words.js";
import {
  article,
  b,
  button,
  code,
  details,
  div,
  footer,
  h1,
  h2,
  h3,
  header,
  i,
  li,
  p,
  span,
  summary,
  ul,
} from "../parts/elements.js";
import { ENDED, icon, logo } from "../parts/icons.js";
import { link } from "../parts/navigation.js";
import { dialog, explain, followBeside } from "../parts/shared.js";
import { json } from "../parts/output.js";
import { call, may } from "../wire/api.js";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

export function Agents() {
  const [agents, setAgents] = useState(/** @type {any[] | null} */ (null));
  const [problem, setProblem] = useState("");
  const read = () => {
    setProblem("");
    call("GET", "/v1/agents").then(
      (answer) => setAgents(answer.agents),
      (error) => setProblem(explain(error)),
    );
  };
  useEffect(() => {
    followBeside();
    read();
  }, []);
  return [
    header({ class: "top" }, h1(null, "Agents")),
    problem
      ? div(
          { class: "empty", role: "alert" },
          logo(),
          h3(null, "The agents can't be read"),
          p(null, problem),
          button({ class: "btn quiet", onClick: read }, "Try again"),
        )
      : agents
        ? div(
            { class: "agents" },
            agents.map((agent) => h(Agent, { key: agent.name, agent })),
          )
        : div({ class: "loading", "aria-label": "Loading" }, i(null), i(null), i(null)),
  ];
}

/** @param {{agent: any}} props */
function Agent({ agent }) {
  const [counts, setCounts] = useState(/** @type {any} */ (null));
  useEffect(() => {
    if (!may("runs:read")) return;
    const from = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - DAY_MS).toISOString();
    const query = new URLSearchParams({ agent: agent.name, created_after: from });
    call("GET", `/v1/runs/counts?${query}`).then(setCounts, () => undefined);
  }, [agent.name]);
  const { limits } = agent;
  return article(
    { class: "agent" },
    header(
      null,
      h2(null, agent.name),
      code(null, [agent.model, ...(agent.fallbacks ?? [])].join(" → ")),
      span({ class: "grow" }),
      may("runs:write")
        ? button(
            { class: "btn", onClick: () => (dialog.value = { again: { agent: agent.name } }) },
            icon("plus"),
            "New run",
          )
        : null,
    ),
    counts ? h(Numbers, { counts, name: agent.name }) : null,
    agent.tool_details.length || agent.mcp?.length
      ? ul(
          { class: "tools" },
          agent.tool_details.map((/** @type {any} */ tool) => h(Tool, { key: tool.name, tool })),
        )
      : p({ class: "quiet sm" }, "No tools"),
    (agent.mcp ?? []).map((/** @type {any} */ it) => h(Server, { key: it.server, server: it })),
    footer(
      null,
      `at most ${number(limits.max_steps)} steps · ${number(limits.max_tool_calls)} calls · `,
      `${number(limits.max_tokens)} tokens · ${duration(limits.max_wall_s * 1000)} of work`,
      limits.max_cost ? ` · $${limits.max_cost}` : "",
      limits.on_limit === "ask" ? " · asks at a limit" : "",
    ),
  );
}

/** An MCP server, with its tools as the newest run found them. @param {{server: any}} props */
const Server = ({ server }) => [
  p(
    { class: "quiet" },
    "MCP server ",
    code(null, server.server),
    server.missing ? ` · missing: ${server.missing}` : "",
    server.tools ? "" : " · no run has listed it yet",
  ),
  ul(
    { class: "tools" },
    (server.tools ?? []).map((/** @type {any} */ tool) => h(Tool, { key: tool.name, tool })),
  ),
];

/** Which calls a person must approve. @param {any} tool */
function asking(tool) {
  if (tool.asks) return "asks you";
  if (tool.approval === "always") return "always asks";
  if (tool.approval === "never") return "";
  const rule = inWords(tool.approval.when);
  return rule ? `asks if ${visible(rule)}` : "asks for some calls";
}

/** A tool: one line that unfolds to its schema. @param {{tool: any}} props */
const Tool = ({ tool }) =>
  li(
    null,
    details(
      { class: "tool" },
      summary(
        null,
        icon("chev"),
        code(null, tool.name),
        span({ class: "what" }, tool.description.split("\n")[0]),
        tool.effects === "unsafe"
          ? span({ class: "tagw" }, icon("bolt"), "changes the world")
          : null,
        tool.agent ? span({ class: "quiet" }, `runs ${tool.agent}`) : null,
        asking(tool) ? span({ class: "quiet" }, asking(tool)) : null,
      ),
      div(
        { class: "body" },
        tool.description.includes("\n") ? p({ class: "said" }, tool.description) : null,
        typeof tool.approval === "object"
          ? [b({ key: "b" }, "Asks when the arguments match"), json(tool.approval.when)]
          : null,
        b(null, "Arguments"),
        json(tool.parameters),
        p(
          { class: "quiet" },
          `at most ${duration(tool.timeout_s * 1000)} · `,
          tool.effects === "unsafe" ? "runs once at most" : `tried again ${tool.retries} times`,
        ),
      ),
    ),
  );

/** @param {{counts: any, name: string}} props */
function Numbers({ counts, name }) {
  const by = counts.by_status;
  const open = counts.total - ENDED.reduce((sum, status) => sum + (by[status] ?? 0), 0);
  const cost = money(counts.usage.cost);
  const failed = by.failed ?? 0;
  const at = `/runs?since=24h&agent=${encodeURIComponent(name)}`;
  return div(
    { class: "nums" },
    link({ href: at }, b(null, number(counts.total)), " runs in 24 h"),
    span(null, b(null, number(open)), " open"),
    failed
      ? link({ class: "t-fail", href: `${at}&status=failed` }, b(null, number(failed)), " failed")
      : span(null, b(null, "0"), " failed"),
    span(null, b(null, number(counts.usage.input_tokens + counts.usage.output_tokens)), " tokens"),
    cost ? span(null, b(null, cost)) : null,
  );
}
