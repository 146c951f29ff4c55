/* Receivers of webhooks: who is told of what, and how that goes. */
import { h } from "../../vendor/preact.js";
import { useQuickAct } from "../../parts/acting.js";
import { Dialog, close } from "../../parts/dialog.js";
import { b, button, code, div, footer, h2, li, p, span } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { go, link } from "../../parts/navigation.js";
import { say } from "../../parts/shared.js";
import { duration, visible } from "../../model/words.js";
import { useAnswer, usePages } from "../../state/read.js";
import { Deliveries } from "./deliveries.js";
import { Confirm, exactly, listed, open, pill, stale, standIn, top, topOf, when } from "./frame.js";
import { NewWebhook, shown } from "./new_webhook.js";

const EVERY_MS = 5000;
/** @param {any} hook */
function stateOf(hook) {
  if (hook.disabled_at) return pill("fail", "Disabled");
  return hook.failing_since ? pill("wait", "Failing") : pill("done", "Active");
}

export function Webhooks() {
  const found = usePages("/v1/webhooks", "webhooks", EVERY_MS);
  return [
    top(
      "Webhooks",
      button(
        { class: "btn quiet", onClick: () => open(NewDefaultSecret, {}) },
        icon("key"),
        "Default secret",
      ),
      button({ class: "btn", onClick: () => open(NewWebhook, {}) }, icon("plus"), "New webhook"),
    ),
    listed(found, "webhooks", h(None, null), (hook) => h(Row, { key: hook.webhook_id, hook })),
  ];
}

const None = () => [
  h2({ key: "a" }, "No webhooks yet"),
  p(
    { key: "b" },
    "A receiver is notified when a run waits for somebody, completes or fails, by signed requests.",
  ),
];

/** @param {{hook: any}} props */
const Row = ({ hook }) =>
  li(
    { class: "ad" },
    div(
      { class: "ad-what" },
      link({ href: `/webhooks/${hook.webhook_id}` }, b(null, visible(hook.url))),
      div(
        { class: "ad-facts" },
        stateOf(hook),
        told(hook),
        span(null, "since ", when(hook.created_at)),
      ),
    ),
  );

/** What it is told of, in words. @param {any} hook */
function told(hook) {
  const events = hook.events ? hook.events.join(", ") : "all events";
  const agents = hook.agents ? `of ${hook.agents.join(", ")}` : "";
  const named = hook.named_only ? "of runs that named it" : "";
  return span(null, [events, agents, named].filter(Boolean).join(" "));
}

/** @param {{id: string}} props */
export function Webhook({ id }) {
  const at = `/v1/webhooks/${encodeURIComponent(id)}`;
  const found = useAnswer(at, EVERY_MS);
  const hook = found.value;
  return [
    topOf("Webhooks", "/webhooks", hook ? visible(hook.url) : id, h(Acts, { hook, at, found })),
    div(
      { class: "adm" },
      stale(found),
      standIn(found, "webhook", null),
      hook ? [h(Facts, { key: "facts", hook }), h(Deliveries, { key: "list", id })] : null,
    ),
  ];
}

/** @param {{hook: any}} props */
const Facts = ({ hook }) =>
  div(
    { class: "ad-facts wide" },
    stateOf(hook),
    told(hook),
    span(null, "tenant ", b(null, hook.tenant)),
    span(null, "made ", exactly(hook.created_at)),
    code(null, hook.webhook_id),
    hook.failing_since && !hook.disabled_at
      ? span({ class: "t-wait" }, "no success since ", exactly(hook.failing_since))
      : null,
    hook.disabled_at
      ? span({ class: "t-fail" }, "disabled ", when(hook.disabled_at), ": ", hook.disabled_reason)
      : null,
  );

/** @param {{hook: any, at: string, found: any}} props */
function Acts({ hook, at, found }) {
  const { act, busy } = useQuickAct();
  if (!hook) return null;
  const enable = async () => {
    if ((await act("POST", `${at}/enable`)) === undefined) return;
    say("Enabled: waiting deliveries are sent now");
    await found.again();
  };
  const test = async () => {
    const answer = await act("POST", `${at}/test`);
    if (answer) open(Tested, { answer });
  };
  const rotate = () =>
    open(Confirm, {
      title: "New secret for this receiver?",
      about: "Both secrets sign for 24 hours, so that the receiver can change over.",
      word: "Make a new secret",
      said: "There is a new secret",
      call: ["POST", `${at}/rotate`],
      done: shown,
    });
  const remove = () =>
    open(Confirm, {
      title: "Delete this webhook?",
      about: "Its deliveries are deleted, too; pending ones are not sent.",
      word: "Delete the webhook",
      said: "Deleted",
      call: ["DELETE", at],
      done: () => go("/webhooks"),
    });
  return div(
    { class: "rowacts" },
    hook.disabled_at
      ? button({ class: "btn primary", disabled: busy, onClick: enable }, "Enable")
      : button({ class: "btn", disabled: busy, onClick: test }, icon("send"), "Test"),
    hook.named_only
      ? null
      : button({ class: "btn", disabled: busy, onClick: rotate }, icon("key"), "New secret"),
    button({ class: "btn danger", disabled: busy, onClick: remove }, "Delete"),
  );
}

/** What the receiver said to a test. @param {{answer: any}} props */
const Tested = ({ answer }) =>
  h(
    Dialog,
    { title: `The receiver ${answer.delivered ? "accepted" : "did not accept"} the test` },
    div(
      { class: "form" },
      p(
        { role: "status" },
        answer.status ? `It answered ${answer.status}` : "There was no answer",
        ` after ${duration(answer.took_ms)}.`,
      ),
      answer.error ? p({ class: "t-fail" }, visible(answer.error)) : null,
    ),
    footer(
      null,
      span({ class: "grow" }),
      button({ class: "btn primary", onClick: close }, "Close"),
    ),
  );

const NewDefaultSecret = () =>
  h(Confirm, {
    title: "New default secret?",
    about: [
      "It signs for receivers that runs name by a URL of their own. If there was one before, both ",
      "sign for 24 hours.",
    ],
    word: "Make a new secret",
    said: "There is a new default secret",
    call: ["POST", "/v1/webhooks/default/rotate"],
    done: shown,
  });
