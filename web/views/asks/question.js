/* A question of a run, and when a request closes by itself. */
import { h } from "../../vendor/preact.js";
import { useRef, useState } from "../../vendor/hooks.js";
import { clock, duration, visible } from "../../model/words.js";
import { code, div, form, h3, header, label, p, span, textarea } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { useCommand } from "../../parts/commands.js";
import { lazy } from "../../parts/lazy.js";
import { now } from "../../parts/shared.js";
import { Sending, atSend, mayAnswer } from "./sending.js";

const Answering = lazy(
  async () => (await import("./answering.js")).Answering,
  () => null,
);
/** The text that says no to the question of an MCP server. */
const DECLINE = "decline";

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
  const answer = (/** @type {string} */ said) => {
    if (!busy && mayAnswer()) void send("answer", { request_id: ask.id, text: said });
  };
  // of a call that was cut off, Relayline asks whether it happened: not the server
  const server = ask.schema?.type === "object" ? ask.server : null;
  const decline = server ? () => answer(DECLINE) : null;
  const free = h(Free, { ask, text, set: setText, busy, send: answer, decline });
  return form(
    {
      class: "ask",
      "aria-label": "Question",
      "data-ask": ask.id,
      ...useSince(),
      onSubmit: (/** @type {Event} */ event) => event.preventDefault(),
    },
    header(
      null,
      icon("warn"),
      h3(null, ask.question),
      h(Left, { at: ask.expires_at, word: "closed" }),
    ),
    server
      ? p({ class: "why" }, span(null, "The MCP server ", code(null, visible(server)), " asks"))
      : null,
    problem ? p({ class: "t-fail why", role: "alert" }, problem.message) : null,
    ask.schema ? h(Answering, { ask, busy, send: answer, decline, instead: free }) : free,
  );
}

/** Any text. @param {any} props */
function Free({ ask, text, set, busy, send, decline }) {
  const submit = () => text.trim() && send(text);
  return [
    ask.schema
      ? p(
          { class: "why", key: "fits" },
          "The answer must fit ",
          visible(JSON.stringify(ask.schema)),
        )
      : null,
    div(
      { class: "field free", key: "text" },
      label({ class: "vh", for: `answer-${ask.id}` }, "Answer"),
      textarea({
        id: `answer-${ask.id}`,
        rows: 2,
        value: text,
        onKeyDown: atSend(submit),
        placeholder: "Your answer becomes the tool's result",
        onInput: (/** @type {any} */ event) => set(event.target.value),
      }),
    ),
    h(Sending, { key: "foot", busy, empty: !text.trim(), submit, decline }),
  ];
}
