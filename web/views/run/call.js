/* One tool call: a line that unfolds to arguments, attempts and result. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { brief, duration } from "../../model/words.js";
import { b, code, details, div, i, memo, pre, span, summary } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { Output, json } from "../../parts/text.js";

/** @type {Record<string, string>} */
const TONES = {
  completed: "done",
  failed: "fail",
  cancelled: "off",
  abandoned: "fail",
  running: "run",
  retrying: "run",
  requested: "off",
};
/** @type {Record<string, string>} */
const WORDS = { running: "running", retrying: "tried again", requested: "asked for" };

/** @param {any} tool */
function took(tool) {
  const last = tool.attempts.at(-1);
  if (!last?.endedAt) return "";
  return duration(last.endedAt - tool.attempts[0].at);
}

/** @param {string} word @param {any} shown */
const row = (word, shown) => div({ class: "kv" }, span(null, word), shown);

/** @param {any} tool */
function body(tool) {
  const failed = tool.state === "failed" || tool.state === "retrying";
  const edited = tool.asked && JSON.stringify(tool.asked) !== JSON.stringify(tool.arguments);
  const earlier = tool.attempts
    .slice(0, failed ? -1 : undefined)
    .filter((/** @type {any} */ it) => it.error);
  return div(
    { class: "body" },
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

/** @param {any} tool @param {boolean} waits */
function standing(tool, waits) {
  if (waits) return "waits";
  return WORDS[tool.state] ?? (tool.state === "completed" ? took(tool) : tool.state);
}

/** What it unfolds to is made when it is unfolded. @param {{tool: any, waits: boolean}} props */
function Unfolding({ tool, waits }) {
  const [open, setOpen] = useState(false);
  const tries = tool.attempts.length;
  return details(
    {
      class: `call s-${waits ? "wait" : TONES[tool.state]}`,
      "data-call": tool.callId,
      onToggle: (/** @type {any} */ event) => setOpen(event.currentTarget.open),
    },
    summary(
      null,
      icon("chev"),
      b(null, tool.name),
      code(null, brief(tool.arguments)),
      tries > 1
        ? span(
            { class: "tries", title: `${tries} attempts` },
            tool.attempts.map((/** @type {any} */ it) => i({ class: it.error ? "x" : "o" })),
          )
        : null,
      span({ class: "tm" }, standing(tool, waits)),
    ),
    open ? body(tool) : null,
  );
}

export const Call = memo((/** @type {{tool: any, waits: boolean}} */ { tool, waits }) =>
  tool ? h(Unfolding, { tool, waits }) : null,
);
