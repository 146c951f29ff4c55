/* What was said and done, in order, on the run's line; of a long run, what is in view. */
import { h } from "../../vendor/preact.js";
import { useEffect, useLayoutEffect, useRef, useState } from "../../vendor/hooks.js";
import { signal } from "../../vendor/signals.js";
import { inWindow } from "../../model/window.js";
import { button, div, form, kbd, label, p, textarea } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { useCommand } from "../../parts/commands.js";
import { arrived, lazy } from "../../parts/lazy.js";
import { SENDS, keys } from "../../parts/shared.js";
import { shown } from "../../state/run.js";
import { may } from "../../wire/api.js";
import { End, Item, propsOf } from "./item.js";

const Talk = lazy(
  async () => (await import("./talk.js")).Talk,
  () => null,
);
const Below = lazy(
  async () => (await import("../asks/below.js")).Below,
  () => null,
);
const NEAR_PX = 80;
/** So high a text grows while it is written. */
const MAX_PX = 160;
/** So many parts are all elements. */
const FEW = 40;
/** Of a part that was never drawn. */
const USUAL_PX = 90;
/** So far above and below what is seen parts are drawn. */
const MARGIN_PX = 800;

/** The part to show, and how often it was asked for. */
const wanted = signal({ id: "", call: "", times: 0 });

/** Show a step, an ask, a pause or a tool call in the transcript. @param {string} key */
export function reveal(key) {
  const { run } = shown.value;
  const step = run.tools.has(key)
    ? [...run.steps.values()].find((it) => it.calls.includes(key))
    : null;
  const id = step ? `step-${step.step}` : key;
  wanted.value = { id, call: step ? key : "", times: wanted.value.times + 1 };
}

/** @param {{id: string}} props */
export function Transcript({ id }) {
  const { run, version } = shown.value;
  const feed = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 900, follows: true });
  const parts = useParts(run, view, feed);
  const follow = () => setView((/** @type {any} */ now) => ({ ...now, follows: true }));
  useLayoutEffect(() => {
    if (view.follows && feed.current) feed.current.scrollTop = feed.current.scrollHeight;
  }, [version, view.follows, view.height, arrived.value]);
  useEffect(() => {
    keys.set("l", follow);
    const sized = new ResizeObserver(([{ target }]) =>
      setView((/** @type {any} */ now) => ({ ...now, height: target.clientHeight })),
    );
    if (feed.current) sized.observe(feed.current);
    return () => {
      keys.delete("l");
      sized.disconnect();
    };
  }, []);
  const scrolled = (/** @type {any} */ event) => {
    const { scrollTop: top, scrollHeight, clientHeight: height } = event.currentTarget;
    const follows = scrollHeight - top - height < NEAR_PX;
    const moved = Math.abs(top - view.top) > MARGIN_PX / 4 || height !== view.height;
    if (moved || follows !== view.follows) setView({ top, height, follows });
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
      byTurn(parts, run, id),
      run.waits.below.length ? h(Below, { id }) : null,
      open ? null : h(End, null),
    ),
    view.follows
      ? null
      : button({ class: "jump", onClick: follow }, "Follow ", icon("down"), kbd(null, "L")),
    open && run.head.open
      ? h(Talk, { id })
      : open && may("runs:steer")
        ? h(Composer, { id })
        : null,
  ];
}

/**
 * The parts that are elements, with gaps between them.
 * @param {import("../../model/run.js").Run} run
 * @param {{top: number, height: number, follows: boolean}} view
 * @param {{current: HTMLElement | null}} feed
 */
function useParts(run, view, feed) {
  const heights = useRef(/** @type {Map<string, number>} */ (new Map()));
  const asked = useRef(0);
  const { id, call, times } = wanted.value;
  const { items } = run;
  useLayoutEffect(() => {
    if (items.length <= FEW) return;
    for (const one of feed.current?.querySelectorAll("[data-part]") ?? []) {
      const { part } = /** @type {HTMLElement} */ (one).dataset;
      heights.current.set(part ?? "", /** @type {HTMLElement} */ (one).offsetHeight);
    }
  });
  useLayoutEffect(() => {
    if (asked.current === times || !id) return;
    asked.current = times;
    show(id, call);
  }, [times]);
  if (items.length <= FEW) return items.map((_, at) => ({ at, gap: 0 }));
  const all = items.map((item) => heights.current.get(item.id) ?? USUAL_PX);
  const whole = all.reduce((sum, height) => sum + height, 0);
  const top = view.follows ? whole - view.height : view.top;
  const focused = document.activeElement?.closest("[data-part]")?.getAttribute("data-part");
  const stays = (/** @type {number} */ at) => {
    const item = items[at];
    return item.data?.state === "open" || item.id === focused || item.id === id;
  };
  return inWindow(all, top - MARGIN_PX, top + view.height + MARGIN_PX, stays);
}

/** @param {string} id @param {string} call */
function show(id, call) {
  const found = call
    ? document.querySelector(`[data-call="${CSS.escape(call)}"]`)
    : document.getElementById(id);
  if (found instanceof HTMLDetailsElement) found.open = true;
  found?.scrollIntoView({ block: "center" });
}

/**
 * The parts as elements; those of one turn are a group.
 * @param {{at: number, gap: number}[]} parts
 * @param {import("../../model/run.js").Run} run
 * @param {string} runId
 */
function byTurn(parts, run, runId) {
  /** @type {[number, any[]][]} */
  const groups = [];
  parts.forEach(({ at, gap }, place) => {
    const item = run.items[at];
    const turn = item?.turn ?? groups.at(-1)?.[0] ?? 0;
    if (groups.at(-1)?.[0] !== turn) groups.push([turn, []]);
    groups
      .at(-1)?.[1]
      .push(
        item
          ? div(
              { key: item.id, "data-part": item.id },
              h(Item, { item, runId, ...propsOf(run, item) }),
            )
          : div({ key: `gap-${place}`, class: "gap", style: { height: `${gap}px` } }),
      );
  });
  return groups.map(([turn, some]) =>
    turn ? div({ key: turn, role: "group", "aria-label": `Turn ${turn}` }, some) : some,
  );
}

/**
 * A text that is being written: it grows with its lines.
 * @param {object} props
 * @param {string} props.word What it is, for those who do not see it.
 * @param {string} props.hint
 * @param {string} props.text
 * @param {boolean} [props.disabled]
 * @param {(text: string) => void} props.set
 * @param {(event: Event) => void} props.submit
 */
export function Writing({ word, hint, text, disabled, set, submit }) {
  const typed = (/** @type {any} */ event) => {
    set(event.target.value);
    event.target.style.height = "auto";
    event.target.style.height = `${Math.min(MAX_PX, event.target.scrollHeight)}px`;
  };
  const sends = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) submit(event);
    if (event.key === "Escape") /** @type {any} */ (event.target).blur();
  };
  return [
    label({ class: "vh", for: "say", key: "label" }, word),
    textarea({
      key: "text",
      id: "say",
      rows: 1,
      value: text,
      disabled,
      onInput: typed,
      onKeyDown: sends,
      placeholder: hint,
    }),
  ];
}

/** Redirects the run. @param {{id: string}} props */
function Composer({ id }) {
  const [text, setText] = useState("");
  const [soon, setSoon] = useState(true);
  const { send, busy, problem } = useCommand(id, "Sent to the model");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim() && (await send("redirect", { message: text, now: soon }))) setText("");
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
      h(Writing, {
        word: "Redirect",
        hint: "Redirect the run: what should the model know now?",
        text,
        set: setText,
        submit,
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
