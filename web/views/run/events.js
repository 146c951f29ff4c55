/* The facts of a run as the journal has them; only the rows in view are elements. */
import { h } from "../../vendor/preact.js";
import { useLayoutEffect, useMemo, useRef, useState } from "../../vendor/hooks.js";
import { brief, number } from "../../model/words.js";
import { button, code, div, i, input, label, span } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { json } from "../../parts/output.js";
import { readAll, shown, whole } from "../../state/run.js";

const ROW_PX = 24;
const MARGIN = 20;

/** @param {string} type */
function tone(type) {
  if (type.includes("failed") || type.includes("superseded") || type.includes("lost"))
    return "fail";
  if (type.startsWith("tool")) return "tool";
  if (/^(message|reasoning|step|attempt)/.test(type)) return "model";
  return /^(approval|input)|^run\.waiting/.test(type) ? "wait" : "off";
}

/** One line of what an event says. @param {any} event */
function says({ data }) {
  if (data.error) return data.error.message ?? String(data.error);
  const line =
    data.text ?? data.question ?? data.output ?? data.applied ?? data.reason ?? data.title;
  if (line) return String(line).slice(0, 200);
  if (data.decision) return `${data.decision}${data.by ? ` by ${data.by}` : ""}`;
  if (data.waiting_for) return data.waiting_for.map((/** @type {any} */ it) => it.what).join("; ");
  if (data.arguments) return `${data.name ?? data.tool}(${brief(data.arguments)})`;
  return data.agent ?? data.kind ?? "";
}

/** @param {any[]} events @param {string} text @param {boolean} deltas */
function matching(events, text, deltas) {
  const wanted = text.trim().toLowerCase();
  if (!wanted && deltas) return events;
  return events.filter(
    (event) =>
      (deltas || !event.type.endsWith(".delta")) &&
      (!wanted || `${event.type} ${says(event)}`.toLowerCase().includes(wanted)),
  );
}

export function Events() {
  const { run, version } = shown.value;
  const [text, setText] = useState("");
  const [deltas, setDeltas] = useState(false);
  const [picked, setPicked] = useState(/** @type {any} */ (null));
  const found = useMemo(() => matching(run.events, text, deltas), [version, text, deltas]);
  const hidden = run.events.length - found.length;
  return [
    div(
      { class: "evbar" },
      label(
        { class: "search sm" },
        icon("search"),
        input({
          value: text,
          placeholder: "type or text",
          "aria-label": "Filter events",
          onInput: (/** @type {any} */ event) => setText(event.target.value),
        }),
      ),
      button(
        {
          class: deltas ? "chip" : "chip on",
          "aria-pressed": !deltas,
          onClick: () => setDeltas(!deltas),
        },
        "facts only",
      ),
    ),
    h(Rows, { events: found, from: run.firstAt ?? 0, picked, pick: setPicked }),
    picked
      ? div(
          { class: "evone" },
          div(
            { class: "row" },
            code(null, `${picked.seq} ${picked.type}`),
            span({ class: "grow" }),
            button(
              { class: "icon sm", "aria-label": "Close", onClick: () => setPicked(null) },
              icon("stop"),
            ),
          ),
          json(picked),
        )
      : null,
    div(
      { class: "evfoot" },
      `seq 1 to ${number(run.seq)} · `,
      hidden ? `${number(hidden)} hidden` : "",
      run.seq > run.events.length ? h(LeftOut, null) : hidden ? "" : "everything, exactly once",
    ),
  ];
}

/** Deltas of steps that have ended are not read unless somebody asks. */
function LeftOut() {
  const { run } = shown.value;
  const left = run.seq - run.events.length;
  return span(
    null,
    ` ${number(left)} deltas of ended steps are not read `,
    whole.value ? null : button({ class: "btn text sm", onClick: readAll }, "Read all"),
  );
}

/** @param {{events: any[], from: number, picked: any, pick: (event: any) => void}} props */
function Rows({ events, from, picked, pick }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 600, end: true });
  useLayoutEffect(() => {
    const at = box.current;
    if (at && view.end) at.scrollTop = at.scrollHeight;
  }, [events.length]);
  const scrolled = (/** @type {any} */ event) => {
    const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
    const end = scrollHeight - scrollTop - clientHeight < 2 * ROW_PX;
    setView({ top: scrollTop, height: clientHeight, end });
  };
  const first = Math.max(0, Math.floor(view.top / ROW_PX) - MARGIN);
  const last = Math.min(events.length, Math.ceil((view.top + view.height) / ROW_PX) + MARGIN);
  return div(
    {
      class: "evs",
      ref: box,
      onScroll: scrolled,
      tabIndex: 0,
      role: "region",
      "aria-label": "Events",
    },
    div(
      { class: "evall", style: { height: `${events.length * ROW_PX}px` } },
      div(
        { style: { transform: `translateY(${first * ROW_PX}px)` } },
        events
          .slice(first, last)
          .map((event) => h(Event, { key: event.seq, event, from, on: event === picked, pick })),
      ),
    ),
  );
}

/** @param {{event: any, from: number, on: boolean, pick: (event: any) => void}} props */
function Event({ event, from, on, pick }) {
  const attempt = event.attempt ? `.${event.attempt}` : "";
  return button(
    { class: on ? "ev on" : "ev", onClick: () => pick(on ? null : event) },
    span({ class: "q" }, event.seq),
    span({ class: "tm", title: event.at }, `+${((Date.parse(event.at) - from) / 1000).toFixed(3)}`),
    span({ class: "ty" }, i({ class: `sw k-${tone(event.type)}` }), event.type),
    span({ class: "st" }, event.step ? `${event.step}${attempt}` : ""),
    span({ class: "sx" }, says(event)),
  );
}
