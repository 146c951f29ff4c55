/* The head of a run: title, status, figures against their limits, and the commands. */
import { h } from "../../vendor/preact.js";
import { useEffect } from "../../vendor/hooks.js";
import { runStatus } from "../../model/run.js";
import { countedOf } from "../../model/usage.js";
import { LATER, duration, exactly, money, number, shortId, tokensOf } from "../../model/words.js";
import {
  a,
  b,
  button,
  code,
  cx,
  div,
  em,
  h1,
  header,
  i,
  kbd,
  span,
  tags,
  u,
} from "../../parts/elements.js";
import { ENDED, TONE, WORD, glyph, icon } from "../../parts/icons.js";
import { link } from "../../parts/navigation.js";
import { copy, dialog, heading, keys, now } from "../../parts/shared.js";
import { shown, view } from "../../state/run.js";
import { may } from "../../wire/api.js";
import { useCommand } from "../../parts/commands.js";

/** @param {{id: string}} props */
export function Head({ id }) {
  const { run } = shown.value;
  const status = runStatus(run);
  const head = run.head;
  const title = head.title || firstWords(run) || id;
  useEffect(() => {
    heading.value = title.slice(0, 60);
  }, [title]);
  const started = run.firstAt ?? now.value;
  const took = (run.endedAt ?? Math.max(now.value, run.lastAt ?? 0)) - started;
  return header(
    { class: "head" },
    div(
      { class: "crumb" },
      link({ href: "/runs" }, "Runs"),
      i(null, "/"),
      head.parent
        ? [
            link(
              { href: `/runs/${head.parent}`, title: "Parent" },
              code(null, shortId(head.parent)),
            ),
            i(null, "/"),
          ]
        : null,
      code(null, shortId(id)),
      button(
        { class: "icon sm", "aria-label": "Copy the run's id", onClick: () => copy(id, "Run id") },
        icon("copy"),
      ),
    ),
    div(
      { class: "ttl" },
      glyph(status),
      h1({ title }, title),
      div(
        { class: "acts" },
        h(Actions, { id, status, pausing: isPausing(run), input: inputOf(run), talks: head.open }),
      ),
    ),
    div(
      { class: "facts" },
      span({ class: `pill ${TONE[status]}`, "data-status": status }, WORD[status]),
      span({ class: "vh", role: "status" }, `The run: ${WORD[status]}`),
      span({ class: "roomy" }, head.agent),
      span({ class: "roomy" }, head.model),
      span(null, duration(took)),
      h(Used, null),
      tags(head.metadata, 8),
      view.value?.links.temporal_ui
        ? a(
            {
              class: "roomy",
              href: view.value.links.temporal_ui,
              target: "_blank",
              rel: "noopener noreferrer",
            },
            "Temporal ",
            icon("ext"),
          )
        : null,
      view.value?.attention && !ENDED.includes(status)
        ? link({ class: "t-wait", href: "/system" }, view.value.attention)
        : null,
    ),
  );
}

/** @param {import("../../model/run.js").Run} run */
function inputOf(run) {
  const said = run.items.find((item) => item.kind === "user")?.data ?? {};
  const files = (said.parts ?? []).filter((/** @type {any} */ part) => part.type !== "text");
  const only = files.length && files.length === said.parts.length;
  return { input: only ? "" : (said.text ?? ""), files };
}

/** @param {import("../../model/run.js").Run} run */
const firstWords = (run) => inputOf(run).input.slice(0, 120);

/** Steps and tokens against the limits, and the cost; of a conversation, of its newest turn. */
function Used() {
  const { run } = shown.value;
  const limits = run.head.limits ?? view.value?.limits;
  const { turn, steps, usage } = countedOf(run);
  const tokens = tokensOf(usage, run.endedAt === null);
  const meter = (/** @type {number} */ used, /** @type {number} */ most) =>
    i(
      { class: "meter" },
      u({ style: { width: `${Math.max(3, Math.min(100, (used / most) * 100))}%` } }),
    );
  const spent = usage.cost ?? (turn ? null : view.value?.usage.cost);
  const cost = money(spent);
  return [
    span(
      { key: "steps" },
      turn ? `turn ${turn}, step ` : "step ",
      b(null, steps),
      limits ? em(null, ` of ${number(limits.max_steps)}`) : null,
      limits ? meter(steps, limits.max_steps) : null,
    ),
    span(
      { key: "tokens", title: tokens === null ? LATER : undefined },
      b(null, tokens === null ? "–" : number(tokens)),
      " tokens",
      limits ? meter(tokens ?? 0, limits.max_tokens) : null,
    ),
    cost || limits?.max_cost
      ? span(
          { key: "cost", title: exactly(spent) },
          b(null, cost || "$0.00"),
          limits?.max_cost ? em(null, ` of $${limits.max_cost}`) : null,
          limits?.max_cost ? meter(Number(spent?.amount ?? 0), limits.max_cost) : null,
        )
      : null,
  ];
}

/**
 * True while a pause waits for the running calls to end.
 * @param {import("../../model/run.js").Run} run
 */
const isPausing = (run) =>
  run.items.some(
    ({ kind, data }) => kind === "command" && data.kind === "pause" && data.state === "accepted",
  );

/**
 * @param {object} props
 * @param {string} props.id
 * @param {string} props.status
 * @param {boolean} props.pausing
 * @param {any} props.input Its text, and its files.
 * @param {boolean} [props.talks] It is a conversation.
 */
function Actions({ id, status, pausing, input, talks }) {
  const { send, busy, problem } = useCommand(id, "");
  const paused = status === "paused";
  const pause = () => {
    if (paused) return send("resume", {}, "Resumed");
    return send("pause", pausing ? { now: true } : {}, "Paused");
  };
  const redirect = () => document.getElementById("say")?.focus();
  const idle = status === "idle";
  const cancel = () => (dialog.value = { cancel: id, turn: talks && !idle });
  const again = () => {
    const { agent, model, metadata } = shown.value.run.head;
    dialog.value = { again: { agent, model, metadata, ...input } };
  };
  const open = !ENDED.includes(status);
  const steers = may("runs:steer");
  useEffect(() => {
    if (!open) return undefined;
    if (steers) keys.set("p", pause).set("r", redirect);
    if (idle) keys.delete("p");
    if (may("runs:cancel")) keys.set("C", cancel);
    return () => ["p", "r", "C"].forEach((key) => keys.delete(key));
  }, [open, paused, pausing, idle, id]);
  const act = (
    /** @type {any} */ name,
    /** @type {string} */ word,
    /** @type {any} */ onClick,
    key = "",
  ) =>
    button(
      {
        class: cx("btn", word === "Cancel" && "danger"),
        onClick,
        disabled: busy,
        title: key,
        "aria-label": word,
      },
      icon(name),
      span(null, word),
      key ? kbd(null, key) : null,
    );
  const word = paused ? "Resume" : pausing ? "Pause now" : "Pause";
  if (!open) return may("runs:write") ? act("turn", "Run again", again) : null;
  return [
    problem ? span({ class: "t-fail why-not", role: "alert" }, problem.message) : null,
    steers && !idle ? act(paused ? "play" : "pause", word, pause, "P") : null,
    steers ? act("turn", talks ? "Write" : "Redirect", redirect, "R") : null,
    may("runs:cancel") ? act("stop", "Cancel", cancel, "⇧ C") : null,
  ];
}
