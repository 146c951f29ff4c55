/* A question of a run, and when a request closes by itself. */
import { h } from "../../vendor/preact.js";
import { useRef, useState } from "../../vendor/hooks.js";
import { clock, duration, visible } from "../../model/words.js";
import {
  button,
  code,
  div,
  footer,
  form,
  h3,
  header,
  kbd,
  label,
  p,
  small,
  span,
  textarea,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { useCommand } from "../../parts/commands.js";
import { lazy } from "../../parts/lazy.js";
import { SENDS, now } from "../../parts/shared.js";
import { may } from "../../wire/api.js";

const Answering = lazy(
  async () => (await import("./answering.js")).Answering,
  () => null,
);

/** When it is closed by itself. @param {{at: string | null, word: string}} props */
export function Left({ at, word }) {
  if (!at) return null;
  return span(
    { class: "left", title: clock(at) },
    icon("clock"),
    `${word} in ${duration(Date.parse(at) - now.value)}`,
  );
}

/** The moment at which a card appeared: keys leave it alone for a moment. */
export function useSince() {
  const since = useRef(performance.now());
  return { "data-since": String(since.current) };
}

/** @param {any} props */
export function Question({ ask, runId }) {
  const [text, setText] = useState("");
  const { send, busy, problem } = useCommand(runId, "Answered");
  const answer = (/** @type {string} */ said) =>
    void send("answer", { request_id: ask.id, text: said });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim()) answer(text);
  };
  const free = h(Free, { ask, text, set: setText, busy, submit });
  return form(
    { class: "ask", "aria-label": "Question", "data-ask": ask.id, ...useSince(), onSubmit: submit },
    header(
      null,
      icon("warn"),
      h3(null, ask.question),
      h(Left, { at: ask.expires_at, word: "closed" }),
    ),
    problem ? p({ class: "t-fail why", role: "alert" }, problem.message) : null,
    ask.schema ? h(Answering, { ask, busy, send: answer, instead: free }) : free,
  );
}

/** Any text. @param {any} props */
const Free = ({ ask, text, set, busy, submit }) => [
  ask.schema
    ? p({ class: "why", key: "fits" }, "The answer must fit ", visible(JSON.stringify(ask.schema)))
    : null,
  div(
    { class: "field free", key: "text" },
    label({ class: "vh", for: `answer-${ask.id}` }, "Answer"),
    textarea({
      id: `answer-${ask.id}`,
      rows: 2,
      value: text,
      onKeyDown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) submit(event);
      },
      placeholder: "Your answer becomes the tool's result",
      onInput: (/** @type {any} */ event) => set(event.target.value),
    }),
  ),
  may("runs:steer")
    ? footer(
        { key: "foot" },
        button(
          { class: "btn primary", "data-decide": "answer", disabled: busy || !text.trim() },
          "Answer",
          kbd(null, SENDS),
        ),
      )
    : footer(
        { key: "foot" },
        small(null, "You may not answer: your key lacks ", code(null, "runs:steer"), "."),
      ),
];
