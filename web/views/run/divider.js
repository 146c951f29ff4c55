/* The border between the transcript and what is beside it: dragged, or moved by keys; it stays. */
import { useLayoutEffect, useState } from "../../vendor/hooks.js";
import { div } from "../../parts/elements.js";

const KEY = "relayline.side";
const LEAST_PX = 320;
const STEP_PX = 40;
/** In percent, where nobody has chosen. */
const USUAL = 43;

/** @param {number} width */
const bounded = (width) =>
  Math.round(Math.max(LEAST_PX, Math.min(width, document.documentElement.clientWidth - 640)));

/** The width that was chosen; 0: none. */
function kept() {
  try {
    return Number(localStorage.getItem(KEY)) || 0;
  } catch {
    return 0;
  }
}

/** @param {number} width */
function keep(width) {
  try {
    localStorage.setItem(KEY, String(width));
  } catch {
    // without storage it holds for this page only
  }
}

/** In percent of the page. @param {number} width */
const share = (width) => Math.round((100 * width) / document.documentElement.clientWidth);

/** @param {number} width */
const show = (width) =>
  document.documentElement.style.setProperty("--side", width ? `${bounded(width)}px` : "");

export function Divider() {
  const [width, setWidth] = useState(kept);
  useLayoutEffect(() => show(width), [width]);
  const become = (/** @type {number} */ next) => {
    setWidth(bounded(next));
    keep(bounded(next));
  };
  const now = (/** @type {any} */ event) =>
    event.currentTarget.parentElement.lastElementChild.getBoundingClientRect().width;
  const grabbed = (/** @type {any} */ event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    event.preventDefault();
  };
  const dragged = (/** @type {any} */ event) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    become(document.documentElement.clientWidth - event.clientX);
  };
  const pressed = (/** @type {any} */ event) => {
    const by = { ArrowLeft: STEP_PX, ArrowRight: -STEP_PX }[/** @type {string} */ (event.key)];
    if (!by) return;
    event.preventDefault();
    become(now(event) + by);
  };
  return div({
    class: "divider",
    role: "separator",
    tabIndex: 0,
    "aria-orientation": "vertical",
    "aria-label": "Width of what is beside the transcript",
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-valuenow": width ? share(width) : USUAL,
    onPointerDown: grabbed,
    onPointerMove: dragged,
    onKeyDown: pressed,
    onDblClick: () => {
      setWidth(0);
      keep(0);
    },
  });
}
