/* The parts of the transcript, each on the run's line. */
import { h } from "../../vendor/preact.js";
import { runStatus } from "../../model/run.js";
import { heldCalls } from "../../model/waits.js";
import { duration } from "../../model/words.js";
import { article, b, code, div, h3, memo, span } from "../../parts/elements.js";
import { WORD, glyph, icon } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";
import { link } from "../../parts/navigation.js";
import { shown } from "../../state/run.js";
import { Step, by, gut } from "./step.js";

const Ask = lazy(
  async () => (await import("../asks/ask.js")).Ask,
  () => null,
);
const Files = lazy(
  async () => (await import("../../parts/files.js")).Files,
  () => null,
);
const Turn = lazy(
  async () => (await import("./talk.js")).Turn,
  () => null,
);

/** What an item shows beside its own data: it is drawn again when one of these is another. */
export function propsOf(
  /** @type {import("../../model/run.js").Run} */ run,
  /** @type {any} */ item,
) {
  const from = run.firstAt ?? item.at;
  if (item.kind === "ask") return { from, agent: run.head.agent };
  if (item.kind !== "step") return { from };
  const step = run.steps.get(item.data.step);
  const tools = step?.calls.map((id) => run.tools.get(id));
  const seqs = tools?.map((tool) => tool?.seq).join();
  const held = heldCalls(run);
  const waits = step?.calls.filter((id) => held.has(id)).join();
  const runs = step?.calls.map((id) => run.children.get(id)?.status).join();
  const live = step?.endedAt === null && run.waits.ended === null;
  return { from, run, step, seqs, waits, runs, live };
}

/** What a message is to the run. @param {any} data */
function heading(data) {
  if (data.turn && data.begins) return data.first ? "Turn 1" : `Turn ${data.turn}`;
  return data.first ? "Input" : "Redirect";
}

/** Texts and files, in order; files that follow each other stand together. @param {any[]} parts */
function saidIn(parts) {
  /** @type {any[][]} */
  const groups = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (last && last[0].type !== "text" && part.type !== "text") last.push(part);
    else groups.push([part]);
  }
  return groups.map((group, at) =>
    group[0].type === "text"
      ? div({ key: at, class: "part" }, group[0].text)
      : h(Files, { key: at, files: group }),
  );
}

export const Item = memo((/** @type {any} */ props) => {
  const { item } = props;
  const data = item.data;
  switch (item.kind) {
    case "user":
      return article(
        { class: "it user" },
        gut(props, "user"),
        div(
          { class: "cell" },
          h3(null, heading(data), by(data)),
          div({ class: "bubble" }, data.parts ? saidIn(data.parts) : data.text),
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
    case "turn":
      return h(Turn, props);
    case "note":
      return article(
        { class: "it thin" },
        gut(props, "dot"),
        div(
          { class: "cell quiet" },
          data.text,
          data.source ? [" ", link({ href: `/runs/${data.source}` }, "open it")] : null,
        ),
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

/** Those that stand elsewhere, if they were not refused. */
const TOLD = new Set(["decide", "answer", "message"]);

/** Decisions, answers and messages stand in their own parts. @param {any} props */
function Command(props) {
  const { kind, state, what } = props.item.data;
  if (state !== "refused" && TOLD.has(kind)) return null;
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
export function End() {
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
