/* A conversation: how its turns ended, what waits for it, and the next message. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { runStatus } from "../../model/run.js";
import { duration, money, number, visible } from "../../model/words.js";
import {
  article,
  b,
  button,
  code,
  div,
  form,
  kbd,
  label,
  li,
  option,
  p,
  select,
  ul,
} from "../../parts/elements.js";
import { contentOf, useAttached, useRefused } from "../../parts/attached.js";
import { useCommand } from "../../parts/commands.js";
import { lazy } from "../../parts/lazy.js";
import { SENDS, dialog } from "../../parts/shared.js";
import { shown } from "../../state/run.js";
import { may } from "../../wire/api.js";
import { gut } from "./step.js";
import { Writing } from "./transcript.js";

const Attach = lazy(
  async () => (await import("../attach.js")).Attach,
  () => null,
);

/** What becomes of a message that comes while a turn runs. @type {[string, string][]} */
const IF_BUSY = [
  ["queue", "after this turn"],
  ["redirect", "into this turn, at once"],
  ["reject", "only if no turn runs"],
];
const SCOPE = "runs:steer";
const WAITS = "It waits for its turn";
/** Texts of messages that were sent from here: the journal has none before their turn. */
const sent = /** @type {Map<string, string>} */ (new Map());

/** @param {{id: string}} props */
export function Talk({ id }) {
  const { run } = shown.value;
  const idle = runStatus(run) === "idle";
  const commands = run.items.filter(({ kind }) => kind === "command").map(({ data }) => data);
  const waiting = commands.filter((it) => it.kind === "message" && it.state === "accepted");
  const closing = commands.some((it) => it.kind === "close" && it.state !== "refused");
  return div(
    { class: "dock" },
    p({ class: "quiet sm", role: "status" }, standing(idle, closing, waiting.length)),
    waiting.length && !idle ? h(Waiting, { waiting }) : null,
    h(Message, { id, idle, closing }),
  );
}

/** @param {boolean} idle @param {boolean} closing @param {number} waiting */
function standing(idle, closing, waiting) {
  if (closing) return [b(null, "Closed"), ": the run ends when its turns are over."];
  if (idle) {
    return [
      b(null, "Idle"),
      ": the turn is over, and the next message begins another one. Meanwhile the run needs no " +
        "worker and costs nothing.",
    ];
  }
  if (!waiting) return "A turn runs.";
  const words =
    waiting === 1 ? "1 message waits for its own" : `${waiting} messages wait for theirs`;
  return `A turn runs; ${words}.`;
}

/** @param {{waiting: any[]}} props */
const Waiting = ({ waiting }) =>
  ul(
    { class: "queue", "aria-label": "Messages that wait", tabIndex: 0 },
    waiting.map(({ command_id: id, by }) =>
      li({ key: id }, by ? b(null, `${by}: `) : null, sent.get(id) ?? "A message sent elsewhere"),
    ),
  );

/** @param {{id: string, idle: boolean, closing: boolean}} props */
function Message({ id, idle, closing }) {
  const [text, setText] = useState("");
  const [ifBusy, setIfBusy] = useState(IF_BUSY[0][0]);
  const { send, busy, problem, next } = useCommand(id, "Sent");
  const attached = useAttached();
  const lacks = !may(SCOPE);
  const off = lacks || closing;
  const attaches = !off && may("runs:write");
  const { files, ready } = attached;
  const empty = !text.trim() && !files.length;
  const { refused, sends } = useRefused(problem);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (off || busy || empty || !ready) return;
    sent.set(next(), text || files.map(({ name }) => name).join(", "));
    sends(text, files);
    setText("");
    attached.set([]);
    const body = { content: contentOf(text, files), if_busy: ifBusy };
    if (await send("messages", body, "Sent", WAITS)) return;
    attached.set((/** @type {any[]} */ more) => [...files, ...more]);
    setText((/** @type {string} */ more) => (more ? `${text}\n${more}` : text));
  };
  return [
    problem
      ? p(
          { class: "t-fail sm", role: "alert", key: "problem" },
          `Not sent: ${refused ? `${visible(refused.name)}: ` : ""}${problem.message}`,
        )
      : null,
    lacks
      ? p(
          { class: "sm", key: "lacks" },
          "You may not write: your key lacks ",
          code(null, SCOPE),
          ".",
        )
      : null,
    div(
      { key: "form", ...(attaches ? attached.takes : {}) },
      form(
        { class: "composer", onSubmit: submit },
        h(Writing, {
          word: "Message",
          hint: closing ? "It takes no further message" : "Write the next message",
          text,
          disabled: off,
          set: setText,
          submit,
        }),
        idle || off ? null : when(ifBusy, setIfBusy),
        button(
          { class: "btn primary", disabled: off || busy || empty || !ready },
          "Send",
          kbd(null, SENDS),
        ),
        off
          ? null
          : button(
              { class: "btn quiet", type: "button", onClick: () => (dialog.value = { close: id }) },
              "Close",
            ),
      ),
      attaches
        ? h(Attach, { attached, refused, model: shown.value.run.head.model ?? "" })
        : null,
    ),
  ];
}

/** @param {string} value @param {(value: string) => void} set */
const when = (value, set) => [
  label({ class: "vh", for: "if-busy", key: "label" }, "While a turn runs, send it"),
  select(
    {
      id: "if-busy",
      key: "when",
      value,
      onChange: (/** @type {any} */ event) => set(event.target.value),
    },
    IF_BUSY.map(([name, word]) => option({ value: name, selected: name === value }, word)),
  ),
];

/** How a turn of a conversation ended, and what it took. @param {any} props */
export function Turn(props) {
  const { turn, status, error, usage, steps, from } = props.item.data;
  const tokens = usage.input_tokens + usage.output_tokens;
  const took = from ? duration(props.item.at - from) : "";
  const parts = [
    took && `after ${took}`,
    steps === 1 ? "1 step" : `${steps} steps`,
    `${number(tokens)} tokens`,
    money(usage.cost),
  ];
  return article(
    { class: "it thin turn", id: props.item.id },
    gut(props, status === "completed" ? "done" : status === "failed" ? "fail" : "off"),
    div(
      { class: "cell quiet" },
      b(null, `Turn ${turn} ${status}`),
      ` ${parts.filter(Boolean).join(" · ")}`,
      error ? [" · ", code(null, error.type), ` ${error.message}`] : null,
    ),
  );
}
