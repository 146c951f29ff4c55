/* What a tool call unfolds to: arguments, attempts and result. */
import { h } from "../../vendor/preact.js";
import { code, div, pre, span } from "../../parts/elements.js";
import { glyph } from "../../parts/icons.js";
import { link } from "../../parts/navigation.js";
import { Output, json } from "../../parts/output.js";

/** A run that the call has started. @param {{run_id: string, agent: string, status: string}} one */
const namesOf = ({ run_id: id, agent, status }) => [glyph(status), ` ${agent} `, code(null, id)];

/** @param {string} word @param {any} shown */
const row = (word, shown) => div({ class: "kv" }, span(null, word), shown);

/** @param {{tool: any, child: any}} props `child`: the run that it has started. */
export function Unfolded({ tool, child }) {
  const failed = tool.state === "failed" || tool.state === "retrying";
  const edited = tool.asked && JSON.stringify(tool.asked) !== JSON.stringify(tool.arguments);
  const earlier = tool.attempts
    .slice(0, failed ? -1 : undefined)
    .filter((/** @type {any} */ it) => it.error);
  return div(
    { class: "body" },
    child ? row("run", link({ href: `/runs/${child.run_id}` }, ...namesOf(child))) : null,
    edited ? row("asked", json(tool.asked)) : null,
    row(edited ? "used" : "arguments", json(tool.arguments)),
    earlier.map((/** @type {any} */ it) =>
      row(`attempt ${it.attempt}`, pre({ class: "out err" }, it.error)),
    ),
    tool.progress && !tool.output ? row("progress", pre({ class: "out" }, tool.progress)) : null,
    failed ? row("error", pre({ class: "out err" }, tool.output)) : null,
    !failed && (tool.output || tool.state === "completed")
      ? row("result", h(Output, { text: tool.output }))
      : null,
    tool.truncated
      ? row("", span({ class: "t-wait" }, "The result is cut: the tool returned more."))
      : null,
  );
}
