/* What was said and done, in order, on the run's line. */
import { h } from "../../vendor/preact.js";
import { useEffect, useLayoutEffect, useRef, useState } from "../../vendor/hooks.js";
import { runStatus } from "../../model/run.js";
import { duration } from "../../model/words.js";
import {
  article,
  b,
  button,
  code,
  div,
  form,
  h3,
  kbd,
  label,
  memo,
  p,
  span,
  textarea,
} from "../../parts/elements.js";
import { WORD, glyph, icon } from "../../parts/icons.js";
import { useCommand } from "../../parts/commands.js";
import { SENDS, keys } from "../../parts/shared.js";
import { shown } from "../../state/run.js";
import { may } from "../../wire/api.js";
import { Ask } from "../asks/ask.js";
import { Step, by, gut } from "./step.js";

const NEAR_PX = 80;

/** @param {{id: string}} props */
export function Transcript({ id }) {
  const { run, version } = shown.value;
  const feed = useRef(/** @type {HTMLElement | null} */ (null));
  const [follows, setFollows] = useState(true);
  useLayoutEffect(() => {
    if (follows && feed.current) feed.current.scrollTop = feed.current.scrollHeight;
  }, [version, follows]);
  useEffect(() => {
    keys.set("l", () => setFollows(true));
    return () => keys.delete("l");
  }, []);
  const scrolled = (/** @type {any} */ event) => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
    setFollows(scrollHeight - scrollTop - clientHeight < NEAR_PX);
  };
  const open = run.waits.ended === null;
  return [
    div(
      {
        class: "feed",
        id: "feed",
        role: "log",
        "aria-live": "off",
        "aria-label": "Transcript",
        tabIndex: 0,
        ref: feed,
        onScroll: scrolled,
      },
      run.items.map((item) => h(Item, { key: item.id, item, runId: id, ...propsOf(run, item) })),
      open ? null : h(End, null),
    ),
    follows
      ? null
      : button(
          { class: "jump", onClick: () => setFollows(true) },
          "Follow ",
          icon("down"),
          kbd(null, "L"),
        ),
    open && may("runs:steer") ? h(Composer, { id }) : null,
  ];
}

/** What an item shows beside its own data: it is drawn again when one of these is another. */
function propsOf(/** @type {import("../../model/run.js").Run} */ run, /** @type {any} */ item) {
  const from = run.firstAt ?? item.at;
  if (item.kind === "ask") return { from, agent: run.head.agent };
  if (item.kind !== "step") return { from };
  const step = run.steps.get(item.data.step);
  const tools = step?.calls.map((id) => run.tools.get(id));
  const seqs = tools?.map((tool) => tool?.seq).join();
  const asked = [...run.waits.open.values()].map((event) => event.data.call_id);
  const waits = asked.filter((id) => step?.calls.includes(id)).join();
  return { from, run, step, seqs, waits, live: !step?.ended && run.waits.ended === null };
}

const Item = memo((/** @type {any} */ props) => {
  const { item } = props;
  const data = item.data;
  switch (item.kind) {
    case "user":
      return article(
        { class: "it user" },
        gut(props, "user"),
        div(
          { class: "cell" },
          h3(null, data.first ? "Input" : "Redirect", by(data)),
          div({ class: "bubble" }, data.text),
        ),
      );
    case "step":
      return h(Step, props);
    case "ask":
      return article(
        { class: "it", id: item.id },
        gut(props, "wait"),
        div(
          { class: "cell" },
          h(Ask, {
            ask: { ...data, id: item.id, at: item.at },
            runId: props.runId,
            agent: props.agent,
          }),
        ),
      );
    case "pause":
      return h(Pause, props);
    case "command":
      return h(Command, props);
    case "note":
      return article(
        { class: "it thin" },
        gut(props, "dot"),
        div({ class: "cell quiet" }, data.text),
      );
    default:
      return null;
  }
});

/** @param {any} props */
function Pause(props) {
  const { data, at } = props.item;
  if (data.state === "open") {
    return article(
      { class: "it", id: props.item.id },
      gut(props, "pause"),
      div(
        { class: "cell" },
        div(
          { class: "verdict" },
          icon("pause"),
          span(
            null,
            b(null, "Paused"),
            by(data),
            " A paused run costs nothing and outlives restarts.",
          ),
        ),
      ),
    );
  }
  const long = data.end ? ` for ${duration(data.end - at)}` : "";
  return article(
    { class: "it thin", id: props.item.id },
    gut(props, "dot"),
    div({ class: "cell quiet" }, b(null, "paused"), by(data), long),
  );
}

/** Decisions and answers stand in their own cards. @param {any} props */
function Command(props) {
  const { kind, state, what } = props.item.data;
  if (state !== "refused" && (kind === "decide" || kind === "answer")) return null;
  return article(
    { class: "it thin" },
    gut(props, "dot"),
    div(
      { class: "cell quiet" },
      b(null, kind),
      by(props.item.data),
      ` ${state}${what ? `: ${what}` : ""}`,
    ),
  );
}

/** How the run ended. */
function End() {
  const { run } = shown.value;
  const item = run.items.find((it) => it.kind === "end");
  if (!item) return null;
  const status = runStatus(run);
  const node = status === "completed" ? "done" : status === "failed" ? "fail" : "off";
  const { error } = run;
  const said = item.data.reason ? ` · ${item.data.reason}` : "";
  return article(
    { class: `it end-${status}` },
    gut({ item, from: run.firstAt }, node),
    div(
      { class: "cell" },
      div(
        { class: "fin" },
        span(
          null,
          glyph(status),
          b(null, WORD[status]),
          ` after ${duration(item.at - (run.firstAt ?? item.at))}`,
          by(item.data),
          error ? [" · ", code(null, error.type), ` ${error.message}`] : null,
          said,
        ),
      ),
    ),
  );
}

/** Sends a message to the model. @param {{id: string}} props */
function Composer({ id }) {
  const [text, setText] = useState("");
  const [soon, setSoon] = useState(true);
  const { send, busy, problem } = useCommand(id, "Sent to the model");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim() && (await send("redirect", { message: text, now: soon }))) setText("");
  };
  const typed = (/** @type {any} */ event) => {
    setText(event.target.value);
    event.target.style.height = "auto";
    event.target.style.height = `${Math.min(160, event.target.scrollHeight)}px`;
  };
  const sends = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) void submit(event);
    if (event.key === "Escape") /** @type {any} */ (event.target).blur();
  };
  const when = (/** @type {boolean} */ value, /** @type {string} */ word) =>
    button(
      {
        type: "button",
        role: "radio",
        "aria-checked": soon === value,
        class: soon === value ? "on" : "",
        onClick: () => setSoon(value),
      },
      word,
    );
  return div(
    { class: "dock" },
    problem ? p({ class: "t-fail sm", role: "alert" }, problem.message) : null,
    form(
      { class: "composer", onSubmit: submit },
      label({ class: "vh", for: "say" }, "Redirect"),
      textarea({
        id: "say",
        rows: 1,
        value: text,
        onInput: typed,
        onKeyDown: sends,
        placeholder: "Redirect the run: what should the model know now?",
      }),
      div(
        { class: "seg", role: "radiogroup", "aria-label": "When" },
        when(true, "now"),
        when(false, "after the step"),
      ),
      button({ class: "btn primary", disabled: busy || !text.trim() }, "Send", kbd(null, SENDS)),
    ),
  );
}
