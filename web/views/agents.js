/* The agents of this server, with what their runs come to. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { duration, money, number } from "../model/words.js";
import {
  article,
  b,
  button,
  code,
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
  ul,
} from "../parts/elements.js";
import { icon, logo } from "../parts/icons.js";
import { link } from "../parts/navigation.js";
import { dialog, explain } from "../parts/shared.js";
import { followBeside } from "../state/list.js";
import { call, may } from "../wire/api.js";

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
          h3(null, "The agents can not be read"),
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
    call("GET", `/v1/runs/counts?agent=${encodeURIComponent(agent.name)}`).then(
      setCounts,
      () => undefined,
    );
  }, [agent.name]);
  const { limits } = agent;
  return article(
    { class: "agent" },
    header(
      null,
      h2(null, agent.name),
      code(null, agent.model),
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
    ul(
      { class: "tools" },
      agent.tools.map((/** @type {string} */ tool) => li({ key: tool }, code(null, tool))),
    ),
    footer(
      null,
      `at most ${number(limits.max_steps)} steps · ${number(limits.max_tool_calls)} calls · `,
      `${number(limits.max_tokens)} tokens · ${duration(limits.max_wall_s * 1000)} of work`,
      limits.on_limit === "ask" ? " · asks at a limit" : "",
    ),
  );
}

/** @param {{counts: any, name: string}} props */
function Numbers({ counts, name }) {
  const by = counts.by_status;
  const ended = ["completed", "failed", "cancelled", "timed_out", "terminated"];
  const open = counts.total - ended.reduce((sum, status) => sum + (by[status] ?? 0), 0);
  const cost = money(counts.usage.cost);
  const failed = by.failed ?? 0;
  const at = `/runs?agent=${encodeURIComponent(name)}`;
  return div(
    { class: "nums" },
    link({ href: at }, b(null, number(counts.total)), " runs"),
    span(null, b(null, number(open)), " open"),
    failed
      ? link({ class: "t-fail", href: `${at}&status=failed` }, b(null, number(failed)), " failed")
      : span(null, b(null, "0"), " failed"),
    span(null, b(null, number(counts.usage.input_tokens + counts.usage.output_tokens)), " tokens"),
    cost ? span(null, b(null, cost)) : null,
  );
}
