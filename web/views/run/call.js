/* One tool call: a line that unfolds to arguments, attempts and result. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { brief, duration, shortId } from "../../model/words.js";
import { b, code, details, i, memo, span, summary } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";
import { link } from "../../parts/navigation.js";

const Files = lazy(
  async () => (await import("../../parts/files.js")).Files,
  () => null,
);
const Unfolded = lazy(async () => (await import("./unfolded.js")).Unfolded);

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

/** @param {any} tool @param {boolean} waits */
function standing(tool, waits) {
  if (waits) return "waits";
  return WORDS[tool.state] ?? (tool.state === "completed" ? took(tool) : tool.state);
}

/**
 * What it unfolds to is made when it is unfolded.
 * @typedef {{tool: any, waits: boolean, child: any}} Props `child`: the run that it has started.
 * @param {Props} props
 */
function Unfolding({ tool, waits, child }) {
  const [open, setOpen] = useState(false);
  const tries = tool.attempts.length;
  const run = child ? `/runs/${child.run_id}` : "";
  const line = details(
    {
      key: "line",
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
    open ? h(Unfolded, { tool, child }) : null,
  );
  const way = link({ class: "below", key: "run", href: run }, shortId(child?.run_id ?? ""));
  const files = tool.files.length ? h(Files, { key: "files", files: tool.files }) : null;
  return [run ? way : null, line, files];
}

export const Call = memo((/** @type {Props} */ props) => (props.tool ? h(Unfolding, props) : null));
