/* The form that registers a receiver of webhooks, and the dialog that shows a secret once. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { useAct } from "../../parts/acting.js";
import { Dialog, close } from "../../parts/dialog.js";
import { button, div, em, footer, form, input, label, span } from "../../parts/elements.js";
import { go } from "../../parts/navigation.js";
import { Secret, exactly, field, open, refusal } from "./frame.js";

/** What receivers can be told of. */
const EVENTS = [
  "run.queued",
  "run.waiting",
  "turn.completed",
  "run.completed",
  "run.failed",
  "run.cancelled",
  "run.terminated",
  "run.timed_out",
];

/** Show a new secret. @param {{secret: string, old_secret_until?: string | null}} made */
export const shown = (made) =>
  open(Secret, {
    title: "Webhook secret",
    secret: made.secret,
    about: made.old_secret_until
      ? ["The previous one signs, too, until ", exactly(made.old_secret_until), "."]
      : "It signs what the receiver gets.",
  });

export function NewWebhook() {
  const { act, busy, problem } = useAct();
  const [url, setUrl] = useState("");
  const [agents, setAgents] = useState("");
  const [events, setEvents] = useState(/** @type {string[]} */ ([]));
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const names = agents.split(/[\s,]+/).filter(Boolean);
    const body = {
      url: url.trim(),
      ...(events.length && { events }),
      ...(names.length && { agents: names }),
    };
    const made = await act("POST", "/v1/webhooks", body);
    if (!made) return;
    go(`/webhooks/${made.webhook_id}`);
    shown(made);
  };
  const toggle = (/** @type {string} */ type) =>
    setEvents((some) => (some.includes(type) ? some.filter((it) => it !== type) : [...some, type]));
  const typed = (/** @type {(text: string) => void} */ set) => (/** @type {any} */ event) =>
    set(event.target.value);
  return h(
    Dialog,
    { title: "New webhook" },
    form(
      { onSubmit: submit },
      div(
        { class: "form" },
        field(
          "hook-url",
          "URL",
          input({
            id: "hook-url",
            value: url,
            type: "url",
            required: true,
            autofocus: true,
            placeholder: "https://…/hook",
            "aria-invalid": problem?.field === "url" ? "true" : undefined,
            onInput: typed(setUrl),
          }),
        ),
        h(Events, { events, toggle }),
        field(
          "hook-agents",
          ["Agents ", em(null, "all, if none is named")],
          input({ id: "hook-agents", value: agents, spellcheck: false, onInput: typed(setAgents) }),
        ),
        refusal(problem),
      ),
      footer(
        null,
        span({ class: "grow" }),
        button({ class: "btn quiet", type: "button", onClick: close }, "Cancel"),
        button({ class: "btn primary", disabled: busy || !url.trim() }, "Create"),
      ),
    ),
  );
}

/** @param {{events: string[], toggle: (type: string) => void}} props */
const Events = ({ events, toggle }) =>
  h(
    "fieldset",
    { class: "choices" },
    h("legend", null, "Events ", em(null, "all, if none is chosen")),
    EVENTS.map((type) =>
      label(
        { class: "check", key: type },
        input({
          type: "checkbox",
          value: type,
          checked: events.includes(type),
          onChange: () => toggle(type),
        }),
        type,
      ),
    ),
  );
