/* What waits for a person: an approval with its arguments as a form, or a question. */
import { h } from "../../vendor/preact.js";
import { useMemo, useState } from "../../vendor/hooks.js";
import { ROUNDED, argumentsOf, fieldsOf, rounds } from "../../model/schema.js";
import { brief, duration, visible } from "../../model/words.js";
import {
  b,
  button,
  code,
  div,
  em,
  footer,
  form,
  h3,
  header,
  input,
  kbd,
  label,
  p,
  q,
  s,
  small,
  span,
  textarea,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { useCommand } from "../../parts/commands.js";
import { may } from "../../wire/api.js";
import { Fields } from "./fields.js";
import { Left, Question, useSince } from "./question.js";
import { Why } from "./why.js";

/** @type {Record<string, string>} */
const VERDICTS = {
  approve: "Approved",
  deny: "Denied",
  expired: "Expired",
  withdrawn: "Withdrawn",
  answered: "Answered",
  closed: "Never decided: the run has ended",
};
const LIMIT = "raise_limit";

/** An item of the inbox as `Ask` takes it. @param {any} item */
export const askOf = (item) => ({
  ...item,
  kind: item.kind === "input" ? "input" : "approval",
  at: Date.parse(item.since ?? ""),
  state: "open",
  arguments: item.arguments ?? {},
});

/**
 * @param {{ask: any, runId: string, agent?: string}} props `ask` has `id`, `at`, `kind` and `state`
 *   beside what the request's event says.
 */
export function Ask({ ask, runId, agent }) {
  if (ask.state !== "open") return h(Verdict, { ask });
  return ask.kind === "approval" ? h(Approval, { ask, runId, agent }) : h(Question, { ask, runId });
}

/** @param {any} props */
function Verdict({ ask }) {
  const bad = ["deny", "expired", "withdrawn", "closed"].includes(ask.state);
  const was = ask.arguments ?? {};
  const changed = Object.keys(ask.given ?? {}).filter(
    (name) => JSON.stringify(ask.given[name]) !== JSON.stringify(was[name]),
  );
  const only = (/** @type {any} */ from) =>
    brief(
      Object.fromEntries(changed.filter((name) => name in from).map((name) => [name, from[name]])),
    );
  return div(
    { class: `verdict ${bad ? "deny" : "approve"}`, "data-state": ask.state },
    icon(bad ? "stop" : "check"),
    span(
      null,
      b(null, VERDICTS[ask.state] ?? ask.state),
      ask.tool ? [" ", code(null, ask.tool)] : null,
      ask.by ? ` by ${ask.by}` : "",
      ask.end ? ` after ${duration(ask.end - ask.at)}` : "",
      changed.length ? [" with ", code(null, only(ask.given)), " ", s(null, only(was))] : null,
      ask.note ? [" ", q(null, ask.note)] : null,
      ask.text !== undefined ? [": ", q(null, ask.text)] : null,
    ),
  );
}

/** Of a limit only the new one can be set. @param {any} ask */
const editable = (ask) =>
  ask.tool === LIMIT ? { raise_to: ask.arguments.raise_to } : (ask.arguments ?? {});

/**
 * What a person makes of the arguments: in fields, or as JSON.
 * @param {any} ask
 */
function useEdits(ask) {
  const was = useMemo(() => editable(ask), [ask.id]);
  const fields = useMemo(() => fieldsOf(ask.parameters, was), [ask.id]);
  const [texts, setTexts] = useState(/** @type {Record<string, string>} */ ({}));
  const [raw, setRaw] = useState(/** @type {{first: string, text: string} | null} */ (null));
  const read = raw === null ? argumentsOf(fields, texts, was) : fromJson(raw.text, was);
  const first = JSON.stringify(read.values, null, 2);
  return {
    was,
    fields,
    texts,
    read,
    raw,
    set: (/** @type {string} */ name, /** @type {string} */ text) =>
      setTexts({ ...texts, [name]: text }),
    write: (/** @type {string} */ text) => raw && setRaw({ ...raw, text }),
    switch: () => setRaw(raw === null ? { first, text: first } : null),
  };
}

/** @param {any} props */
function Approval({ ask, runId, agent }) {
  const edits = useEdits(ask);
  const [note, setNote] = useState("");
  const { send, busy, problem } = useCommand(runId, "");
  const { read } = edits;
  const decide = (/** @type {"approve" | "deny"} */ decision) => {
    const approves = decision === "approve";
    const given = approves && read.changed.length ? { arguments: read.values } : {};
    const path = `approvals/${encodeURIComponent(ask.id)}`;
    void send(
      path,
      { decision, ...given, ...(note && { note }) },
      approves ? "Approved" : "Denied",
    );
  };
  return form(
    {
      class: "ask",
      "aria-label": `Approval of ${ask.tool}`,
      "data-ask": ask.id,
      ...useSince(),
      onSubmit: (/** @type {Event} */ event) => event.preventDefault(),
    },
    h(Heading, { ask, agent }),
    h(Arguments, { ask, edits, refused: problem?.field ?? "" }),
    h(Note, { id: ask.id, note, set: setNote }),
    problem ? p({ class: "t-fail why", role: "alert" }, problem.message) : null,
    h(Deciding, { edits, busy, decide }),
  );
}

/** @param {{ask: any, edits: ReturnType<typeof useEdits>, refused: string}} props */
function Arguments({ ask, edits, refused }) {
  const { was, fields, texts, read, raw, set, write } = edits;
  const whole = JSON.stringify(was);
  const hides = visible(whole) !== whole || rounds(was);
  return [
    raw === null
      ? h(Fields, { of: ask.id, fields, texts, wrong: read.wrong, refused, set })
      : textarea({
          class: "raw",
          rows: 8,
          value: raw.text,
          "aria-label": "Arguments as JSON",
          spellcheck: false,
          onInput: (/** @type {any} */ event) => write(event.target.value),
        }),
    read.wrong[""] ? p({ class: "t-fail why" }, read.wrong[""]) : null,
    hides
      ? p({ class: "why t-wait" }, "Hidden characters, rounded numbers: ", code(null, brief(was)))
      : null,
  ];
}

/** @param {string} raw @param {any} was */
function fromJson(raw, was) {
  try {
    const values = JSON.parse(raw);
    const isObject = typeof values === "object" && values !== null && !Array.isArray(values);
    if (!isObject) return { values: {}, changed: [], wrong: { "": "must be one JSON object" } };
    const names = new Set([...Object.keys(values), ...Object.keys(was)]);
    const changed = [...names].filter(
      (name) => JSON.stringify(values[name]) !== JSON.stringify(was[name]),
    );
    return { values, changed, wrong: changed.length && rounds(values) ? { "": ROUNDED } : {} };
  } catch (error) {
    return { values: {}, changed: [], wrong: { "": /** @type {Error} */ (error).message } };
  }
}

/** @param {any} props */
const Heading = ({ ask, agent }) => [
  header(
    { key: "head" },
    icon("warn"),
    ask.tool === LIMIT
      ? h3(null, b(null, ask.arguments.limit), " is used up: continue?")
      : h3(null, b(null, ask.tool), ` wants your approval`),
    h(Left, { at: ask.expires_at, word: "denied" }),
  ),
  ask.tool === LIMIT
    ? p(
        { class: "why", key: "why" },
        `Used ${ask.arguments.used} of ${ask.arguments.allowed}. ` +
          "Approving raises the limit of this run only.",
      )
    : h(Why, { ask, agent: agent ?? "The agent", key: "why" }),
];

/** @param {any} props */
const Note = ({ id, note, set }) =>
  div(
    { class: "field note" },
    label({ for: `note-${id}` }, "Note ", em(null, "the model sees it")),
    input({
      id: `note-${id}`,
      value: note,
      placeholder: "Why, or what to do instead",
      onInput: (/** @type {any} */ event) => set(event.target.value),
    }),
  );

/**
 * @param {object} props
 * @param {ReturnType<typeof useEdits>} props.edits
 * @param {boolean} props.busy
 * @param {(decision: "approve" | "deny") => void} props.decide
 */
function Deciding({ edits, busy, decide }) {
  const { read, raw } = edits;
  if (!may("runs:approve")) {
    return footer(
      null,
      small(null, "You may not decide this: your key lacks ", code(null, "runs:approve"), "."),
    );
  }
  const many = read.changed.length;
  const wrong = Object.keys(read.wrong).length > 0;
  const word = many ? `Approve with ${many} change${many > 1 ? "s" : ""}` : "Approve";
  return footer(
    null,
    button(
      {
        class: "btn primary",
        type: "button",
        "data-decide": "approve",
        disabled: busy || wrong,
        onClick: () => decide("approve"),
      },
      span(null, word),
      kbd(null, "A"),
    ),
    button(
      {
        class: "btn danger",
        type: "button",
        "data-decide": "deny",
        disabled: busy,
        onClick: () => decide("deny"),
      },
      "Deny",
      kbd(null, "D"),
    ),
    span({ class: "grow" }),
    button(
      {
        class: "btn text",
        type: "button",
        onClick: edits.switch,
        disabled: raw !== null && raw.text !== raw.first,
      },
      raw ? "Edit as a form" : "Edit as JSON",
    ),
  );
}
