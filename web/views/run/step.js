/* One model call on the run's line. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { duration, exactly, money, number } from "../../model/words.js";
import {
  article,
  cx,
  del,
  details,
  div,
  em,
  h3,
  i,
  p,
  span,
  summary,
  time,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";
import { explain } from "../../parts/shared.js";
import { Markdown } from "../../parts/text.js";
import { textOf } from "../../state/run.js";
import { Call } from "./call.js";

const Answer = lazy(async () => (await import("../../parts/answer.js")).Answer);

/** The line's node and the time since the start. @param {any} props */
export const gut = ({ from, item }, /** @type {string} */ node) =>
  div(
    { class: "gut" },
    i({ class: `node ${node}` }),
    time({ datetime: new Date(item.at).toISOString() }, `+${duration(item.at - from)}`),
  );

/** @param {any} data */
export const by = (data) => (data.by ? em(null, `by ${data.by}`) : null);

/** @param {any} props */
export function Step(props) {
  const { step, live, item } = props;
  if (!step) return null;
  const streams = live && !step.failure;
  return article(
    { class: "it step", id: item.id },
    gut(props, cx("model", streams && "live")),
    div(
      { class: "cell" },
      h3(
        null,
        `Step ${step.step}`,
        em(null, step.model),
        step.endedAt ? em(null, duration(step.endedAt - step.at)) : null,
        step.ended
          ? em(
              { title: "input → output tokens" },
              `${number(step.usage.input_tokens)} → ${number(step.usage.output_tokens)}`,
            )
          : null,
        step.usage.cost ? em({ title: exactly(step.usage.cost) }, money(step.usage.cost)) : null,
        step.interrupted ? span({ class: "pill off" }, "interrupted") : null,
      ),
      step.voids.map((/** @type {any} */ gone) => h(Void, { key: gone.attempt, gone })),
      step.reasoning || (step.ended && step.usage.reasoning_tokens)
        ? h(Thought, { step, open: Boolean(streams && !step.text) })
        : null,
      step.failure
        ? p({ class: "t-wait sm" }, `${step.failure.error.message}; it is tried again`)
        : null,
      step.json ? h(Answer, { text: step.text }) : null,
      !step.json && (step.text || streams)
        ? h(Markdown, { text: step.text, live: streams })
        : null,
      step.calls.length
        ? div(
            { class: "calls" },
            step.calls.map((/** @type {string} */ id) =>
              h(Call, {
                key: id,
                tool: props.run.tools.get(id),
                waits: props.waits.split(",").includes(id),
                child: props.run.children.get(id),
              }),
            ),
          )
        : null,
    ),
  );
}

/** @param {{gone: any}} props */
function Void({ gone }) {
  const said = useText(gone.text, "message.delta", gone.seqs);
  return details(
    { class: "void", onToggle: said.read },
    summary(null, icon("chev"), span(null, `Attempt ${gone.attempt} is void: ${gone.reason}`)),
    said.text ? del(null, said.text) : p(null, said.why || "It had said nothing yet."),
  );
}

/** @param {{step: any, open: boolean}} props */
function Thought({ step, open }) {
  const said = useText(step.reasoning, "reasoning.delta", [step.from, step.seq]);
  return details(
    { class: "think", open, onToggle: said.read },
    summary(null, icon("chev"), span(null, open ? "Thinking" : thought(step))),
    p(null, said.text || said.why),
  );
}

/**
 * A text that is there, or that is read when somebody unfolds it.
 * @param {string} known
 * @param {"message.delta" | "reasoning.delta"} type
 * @param {number[] | null} seqs
 */
function useText(known, type, seqs) {
  const [found, setFound] = useState({ text: "", why: "" });
  const read = (/** @type {any} */ event) => {
    if (!event.currentTarget.open || known || found.text || !seqs) return;
    setFound({ text: "", why: "…" });
    textOf(type, seqs[0], seqs[1]).then(
      (text) => setFound({ text, why: "" }),
      (error) => setFound({ text: "", why: explain(error) }),
    );
  };
  return { text: known || found.text, why: found.why, read };
}

/** @param {any} step */
const thought = (step) =>
  step.textAt ? `Thought for ${duration(step.textAt - step.at)}` : "Thought";
