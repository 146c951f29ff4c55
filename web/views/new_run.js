/* The form that starts a run: what was typed outlives it, and a double click is one run. */
import { h } from "../vendor/preact.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { quoted, visible } from "../model/words.js";
import { contentOf, useAttached, useRefused } from "../parts/attached.js";
import { Dialog, close } from "../parts/dialog.js";
import {
  button,
  details,
  div,
  em,
  footer,
  form,
  input,
  kbd,
  label,
  option,
  p,
  select,
  span,
  summary,
  textarea,
} from "../parts/elements.js";
import { icon } from "../parts/icons.js";
import { lazy } from "../parts/lazy.js";
import { go } from "../parts/navigation.js";
import { SENDS, copy, explain, say } from "../parts/shared.js";
import { Problem, call, curlKey, freshId } from "../wire/api.js";

const Attach = lazy(
  async () => (await import("./attach.js")).Attach,
  () => null,
);
const DRAFT = "relayline.draft";
/** @typedef {{agent: string, model: string, input: string, metadata: string, steps: string,
 *   tokens: string, cost: string, ask: boolean, open: boolean}} Draft */
/** @type {Draft} */
const BLANK = {
  agent: "",
  model: "",
  input: "",
  metadata: "",
  steps: "",
  tokens: "",
  cost: "",
  ask: false,
  open: false,
};
/** Fields whose name in the request is another. @type {Record<string, string>} */
const NAMES = { steps: "limits.max_steps", tokens: "limits.max_tokens", cost: "limits.max_cost" };

/** @param {any} given @returns {Draft} */
function draftOf({ files: _, ...given }) {
  const labels = Object.entries(given.metadata ?? {}).map(([name, value]) => `${name}=${value}`);
  const start = { ...BLANK, ...given, metadata: labels.join(" "), model: given.model ?? "" };
  if (Object.keys(given).length) return { ...start, input: given.input ?? "" };
  try {
    return { ...BLANK, ...JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}") };
  } catch {
    return BLANK;
  }
}

/** @param {Draft} draft */
function keep(draft) {
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify(draft));
  } catch {
    // without storage the draft is lost with the dialog
  }
}

/**
 * The body of `POST /v1/runs`.
 * @param {Draft} draft
 * @param {import("../parts/attached.js").Attached[]} files
 */
function bodyOf(draft, files) {
  const pairs = draft.metadata
    .split(/\s+/)
    .filter(Boolean)
    .map((pair) => {
      const [name, ...value] = pair.split("=");
      return [name, value.join("=")];
    });
  const limits = {
    ...(draft.steps && { max_steps: Number(draft.steps) }),
    ...(draft.tokens && { max_tokens: Number(draft.tokens) }),
    ...(draft.cost && { max_cost: Number(draft.cost) }),
    ...(draft.ask && { on_limit: "ask" }),
  };
  return {
    agent: draft.agent,
    input: contentOf(draft.input, files),
    ...(draft.model && { model: draft.model.trim() }),
    ...(pairs.length && { metadata: Object.fromEntries(pairs) }),
    ...(Object.keys(limits).length && { limits }),
    ...(draft.open && { open: true }),
  };
}

/** @param {any} body */
const curl = (body) =>
  `curl ${curlKey()}${quoted(`${location.origin}/v1/runs`)} ` +
  `-H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`;

/** The draft, and the key that makes it one run however often it is sent. @param {any} given */
function useDraft(given) {
  const [draft, setDraft] = useState(() => draftOf(given));
  const once = useRef(freshId());
  const attached = useAttached(given.files);
  const set = (/** @type {Partial<Draft>} */ some) => {
    setDraft((before) => {
      const next = { ...before, ...some };
      keep(next);
      return next;
    });
    once.current = freshId();
  };
  const named = JSON.stringify(contentOf("", attached.files));
  useEffect(() => {
    once.current = freshId();
  }, [named]);
  return { draft, set, attached, once };
}

/** The agents of this server. @param {(name: string) => void} first Is told of the first. */
function useAgents(first) {
  const [agents, setAgents] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    call("GET", "/v1/agents").then(
      (answer) => {
        setAgents(answer.agents);
        first(answer.agents[0]?.name ?? "");
      },
      (error) => say(explain(error)),
    );
  }, []);
  return agents;
}

/** @param {{given: any}} props */
export function NewRun({ given }) {
  const { draft, set, attached, once } = useDraft(given);
  const agents = useAgents((name) => draft.agent || set({ agent: name }));
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  const { refused, sends } = useRefused(problem);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy || !sendable(draft, attached)) return;
    setBusy(true);
    setProblem(null);
    sends(draft.input, attached.files);
    try {
      const headers = { "Idempotency-Key": once.current };
      const body = bodyOf(draft, attached.files);
      const { run_id: id } = await call("POST", "/v1/runs", body, { headers });
      keep({ ...draft, input: "" });
      close();
      go(`/runs/${id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      setBusy(false);
    }
  };
  return h(
    Dialog,
    { title: "New run" },
    form(
      { onSubmit: submit, ...attached.takes },
      h(Form, { draft, set, attached, agents, problem, refused, submit }),
      h(Buttons, { draft, attached, busy }),
    ),
  );
}

/** @typedef {ReturnType<typeof useAttached>} Files */

/** @param {Draft} draft @param {Files} attached */
const sendable = (draft, { files, ready }) =>
  Boolean(draft.agent && ready && (draft.input || files.length));

/** @param {{draft: Draft, attached: Files, busy: boolean}} props */
function Buttons({ draft, attached, busy }) {
  const copied = () => copy(curl(bodyOf(draft, attached.files)), "cURL command");
  return footer(
    null,
    button({ class: "btn text", type: "button", onClick: copied }, icon("copy"), "Copy as cURL"),
    span({ class: "grow" }),
    button({ class: "btn quiet", type: "button", onClick: close }, "Cancel"),
    button(
      { class: "btn primary", disabled: busy || !sendable(draft, attached) },
      "Start",
      kbd(null, SENDS),
    ),
  );
}

/**
 * @param {object} props
 * @param {Draft} props.draft
 * @param {(some: Partial<Draft>) => void} props.set
 * @param {Files} props.attached
 * @param {any[]} props.agents
 * @param {Problem | null} props.problem
 * @param {import("../parts/attached.js").Attached} [props.refused]
 * @param {(event: Event) => void} props.submit
 */
function Form({ draft, set, attached, agents, problem, refused, submit }) {
  const chosen = agents.find((agent) => agent.name === draft.agent);
  const own = chosen?.model ?? "the agent's own";
  const isWrong = (/** @type {string} */ field) =>
    Boolean(problem?.field?.startsWith(NAMES[field] ?? field));
  const text = (/** @type {keyof Draft} */ field, /** @type {any} */ more = {}) => ({
    id: `new-${field}`,
    value: draft[field],
    ...more,
    "aria-invalid": isWrong(field) ? "true" : undefined,
    "aria-describedby": isWrong(field) ? "new-problem" : undefined,
    onInput: (/** @type {any} */ event) => set({ [field]: event.target.value }),
  });
  const sends = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) submit(event);
  };
  const wrong = problem
    ? p(
        { class: "t-fail sm", role: "alert", id: "new-problem" },
        refused ? `${visible(refused.name)}: ${problem.message}` : problem.message,
      )
    : null;
  const field = (/** @type {string} */ id, /** @type {any} */ word, /** @type {any} */ control) =>
    div({ class: "field" }, label({ for: `new-${id}` }, word), control, isWrong(id) ? wrong : null);
  return div(
    { class: "form" },
    div(
      { class: "two" },
      field(
        "agent",
        "Agent",
        select(
          text("agent"),
          agents.map(({ name }) => option({ value: name, selected: name === draft.agent }, name)),
        ),
      ),
      field("model", "Model", input(text("model", { placeholder: own, spellcheck: false }))),
    ),
    field(
      "input",
      "Input",
      textarea(text("input", { rows: 5, autofocus: true, onKeyDown: sends })),
    ),
    h(Attach, { attached, model: draft.model.trim() || (chosen?.model ?? ""), refused }),
    field(
      "metadata",
      ["Metadata ", em(null, "key=value, up to 16")],
      input(text("metadata", { placeholder: "team=docs ticket=4711", spellcheck: false })),
    ),
    label(
      { class: "check" },
      input({
        type: "checkbox",
        checked: draft.open,
        onChange: (/** @type {any} */ event) => set({ open: event.target.checked }),
      }),
      "A conversation: it takes further messages",
    ),
    details(
      { open: Object.keys(NAMES).some(isWrong) || undefined },
      summary(null, icon("chev"), "Limits"),
      div(
        { class: "two" },
        field("steps", "Steps", input(text("steps", { inputmode: "numeric" }))),
        field("tokens", "Tokens", input(text("tokens", { inputmode: "numeric" }))),
        field("cost", "US dollars", input(text("cost", { inputmode: "decimal" }))),
      ),
      label(
        { class: "check" },
        input({
          type: "checkbox",
          checked: draft.ask,
          onChange: (/** @type {any} */ event) => set({ ask: event.target.checked }),
        }),
        "Ask at a limit, instead of failing",
      ),
    ),
    Object.keys(BLANK).some(isWrong) ? null : wrong,
  );
}
