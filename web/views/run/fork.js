/* Another future of a run: a new one that begins with its past, with other results if one likes. */
import { h } from "../../vendor/preact.js";
import { useRef, useState } from "../../vendor/hooks.js";
import {
  button,
  code,
  details,
  div,
  em,
  form,
  input,
  label,
  p,
  summary,
  textarea,
} from "../../parts/elements.js";
import { useAct } from "../../parts/acting.js";
import { icon } from "../../parts/icons.js";
import { go } from "../../parts/navigation.js";
import { shown } from "../../state/run.js";
import { freshId } from "../../wire/api.js";

/** So many results can be edited at once. */
const MAX_EDITS = 100;

/** @param {{id: string, step: number}} props `step`: what the fork does itself begins there. */
export function Fork({ id, step }) {
  const [open, setOpen] = useState(false);
  return open
    ? h(Form, { id, step })
    : button(
        { class: "btn quiet fork", onClick: () => setOpen(true) },
        icon("turn"),
        `Fork from step ${step}`,
      );
}

/** Calls whose results the step was given: those of the step before it. @param {number} step */
function given(step) {
  const { run } = shown.value;
  const calls = run.steps.get(step - 1)?.calls ?? [];
  const tools = calls.map((id) => run.tools.get(id)).filter((tool) => tool?.output !== undefined);
  return /** @type {any[]} */ (tools).slice(0, MAX_EDITS);
}

/** @param {{id: string, step: number}} props */
function Form({ id, step }) {
  const tools = given(step);
  const [texts, setTexts] = useState(/** @type {Record<string, string>} */ ({}));
  const [message, setMessage] = useState("");
  const [model, setModel] = useState("");
  const once = useRef(freshId());
  const { act, busy, problem } = useAct();
  const changing = (/** @type {(text: string) => void} */ set) => (/** @type {any} */ event) => {
    once.current = freshId();
    set(event.target.value);
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const edits = tools
      .filter(({ callId, output }) => (texts[callId] ?? output) !== output)
      .map(({ callId }) => ({ call_id: callId, output: texts[callId] }));
    const body = {
      from_step: step,
      ...(edits.length && { edits }),
      ...(message.trim() && { message }),
      ...(model.trim() && { model: model.trim() }),
    };
    const headers = { "Idempotency-Key": once.current };
    const answer = await act("POST", `/v1/runs/${id}/fork`, body, { headers });
    if (answer) go(`/runs/${answer.run_id}`);
  };
  const edited = (/** @type {string} */ callId) =>
    changing((text) => setTexts({ ...texts, [callId]: text }));
  return form(
    { class: "forkform", "aria-label": `Fork from step ${step}`, onSubmit: submit },
    p(
      null,
      `A new run starts at step ${step}. It keeps the steps before, at no cost.`,
    ),
    tools.map((tool) =>
      h(Result, { key: tool.callId, tool, text: texts[tool.callId], set: edited(tool.callId) }),
    ),
    field("fork-message", "Message", "optional", message, changing(setMessage)),
    field("fork-model", "Model", "optional", model, changing(setModel)),
    problem ? p({ class: "t-fail sm", role: "alert" }, problem.message) : null,
    button({ class: "btn primary", disabled: busy }, "Fork"),
  );
}

/** A result that the model is given in the fork. @param {any} props */
const Result = ({ tool, text, set }) =>
  details(
    null,
    summary(null, icon("chev"), "Result of ", code(null, tool.name)),
    label({ class: "vh", for: `fork-${tool.callId}` }, `Result of ${tool.name}`),
    textarea({ id: `fork-${tool.callId}`, rows: 4, value: text ?? tool.output, onInput: set }),
  );

/**
 * @param {string} id
 * @param {string} word
 * @param {string} more
 * @param {string} value
 * @param {(event: any) => void} onInput
 */
const field = (id, word, more, value, onInput) =>
  div(
    { class: "field" },
    label({ for: id }, `${word} `, em(null, more)),
    input({ id, value, onInput, spellcheck: false }),
  );
