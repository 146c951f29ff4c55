/* Icons of 16 px with strokes; a status is a shape, never a colour alone. */
import { h } from "../vendor/preact.js";

/** @param {number} x @param {number} y @param {number} r */
const circle = (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
const RING = circle(8, 8, 5.25);

const PATHS = {
  runs: "M2.5 4h11M2.5 8h7M2.5 12h9",
  inbox: "M2.5 9.5 4.4 3.6h7.2l1.9 5.9v3h-11zM2.6 9.5h3.2l.8 1.5h2.8l.8-1.5h3.2",
  agents: `${circle(8, 5.4, 2.6)}M3 13.4c.5-2.6 2.4-4 5-4s4.5 1.400 5 4`,
  system: "M1.5 8.500h3L6.500 3.500l3 9.500 2-4.500h3",
  search: `${circle(7, 7, 4.2)}M10.2 10.2l3.3 3.3`,
  plus: "M8 3v10M3 8h10",
  moon: "M12.8 9.6A5.3 5.3 0 0 1 6.4 3.2a5.3 5.3 0 1 0 6.4 6.4z",
  chev: "m6 4 4 4-4 4",
  ext: "M6 3.5H3.5v9h9V10M9 3h4v4M13 3 7.5 8.5",
  copy: "M5.5 5.5v-2h7v7h-2M3.5 5.5h7v7h-7z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.5 12 8l-7 4.5z",
  stop: "m4 4 8 8M12 4l-8 8",
  turn: "M3 4.5h6.5a3 3 0 0 1 0 6H4M6 8l-2.5 2.5L6 13",
  check: "m3.5 8.5 3 3 6-7",
  bolt: "M8.5 2 4 9h3.500L7 14l5-7.500H8.300z",
  warn: "M8 2.5 14 13H2zM8 6.500v3M8 11.300v.2",
  down: "M8 3v9M4 8.5 8 12.500l4-4",
  clock: `${circle(8, 8, 5.5)}M8 5v3.2l2 1.3`,
  layers: "M8 2.5 14 6 8 9.500 2 6zM2.500 9.800 8 13l5.500-3.200",
  send: "M2.500 8h8M7.500 5l3 3-3 3M13.500 3v10",
  key: `${circle(5.2, 8, 2.7)}M8 8h5.500v2.400M11 8v1.900`,
  shield:
    "M8 2.300 13 4.200v3.600c0 3-2 5-5 6-3-1-5-3-5-6V4.200zM5.800 7.900l1.600 1.600 2.900-3.200",
  more: "M3.500 8v.2M8 8v.2M12.500 8v.2",
  file: "M4 2.500h5l3 3v8H4zM9 2.500v3h3",
  lock: "M4 7.500h8v5.500H4zM5.500 7.500V5.500a2.500 2.500 0 0 1 5 0v2",
};

/** @type {Record<string, [string, Record<string, string>?][]>} */
const GLYPHS = {
  scheduled: [[RING, { "stroke-dasharray": "1 3" }], ["M8 5.2V8l1.8 1.2"]],
  queued: [[RING, { "stroke-dasharray": "2 2.1" }]],
  running: [
    [RING, { opacity: ".28" }],
    ["M8 2.75a5.25 5.25 0 0 1 5.25 5.25", { class: "spin" }],
  ],
  waiting: [[RING], ["M8 5v3.5M8 10.7v.3"]],
  paused: [[RING], ["M6.6 6v4M9.4 6v4"]],
  idle: [[RING], ["M5.4 8h5.2"]],
  completed: [[RING], ["m5.6 8.2 1.7 1.7 3.1-3.6"]],
  failed: [
    [circle(8, 8, 6), { class: "fill" }],
    ["m6 6 4 4M10 6l-4 4", { class: "on" }],
  ],
  cancelled: [[RING], ["m4.4 11.6 7.2-7.2"]],
  timed_out: [[RING], ["M8 5.2V8l1.8 1.2"]],
  terminated: [
    [
      "M3 4.500a1.500 1.500 0 0 1 1.500-1.500h7a1.500 1.500 0 0 1 1.500 1.500v7a1.500 1.500 " +
        "0 0 1-1.500 1.500h-7a1.500 1.500 0 0 1-1.500-1.500z",
    ],
  ],
};

/** @type {Record<string, string>} */
export const TONE = {
  scheduled: "off",
  queued: "off",
  running: "run",
  waiting: "wait",
  paused: "pause",
  idle: "off",
  completed: "done",
  failed: "fail",
  cancelled: "off",
  timed_out: "fail",
  terminated: "off",
};

/** The statuses of runs that have ended. */
export const ENDED = ["completed", "failed", "cancelled", "timed_out", "terminated"];

/** @type {Record<string, string>} */
export const WORD = {
  scheduled: "Scheduled",
  queued: "Queued",
  running: "Running",
  waiting: "Needs you",
  paused: "Paused",
  idle: "Idle",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  timed_out: "Timed out",
  terminated: "Terminated",
};

/** @param {keyof typeof PATHS} name */
export const icon = (name) =>
  h(
    "svg",
    { class: name === "chev" ? "i chev" : "i", viewBox: "0 0 16 16", "aria-hidden": "true" },
    h("path", { d: PATHS[name] }),
  );

/** The shape of a run's status. @param {string} status */
export const glyph = (status) =>
  h(
    "svg",
    {
      class: `g tone-${TONE[status] ?? "off"}`,
      viewBox: "0 0 16 16",
      role: "img",
      "aria-label": WORD[status] ?? status,
    },
    (GLYPHS[status] ?? GLYPHS.queued).map(([d, more]) => h("path", { d, ...more })),
  );

export const logo = () =>
  h(
    "svg",
    { class: "logo", viewBox: "0 0 22 22", "aria-hidden": "true" },
    h("path", {
      d: "M2 15.5h5.500c3.500 0 3.500-9 7-9H20",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": "1.7",
      "stroke-linecap": "round",
    }),
    h("circle", { cx: 11, cy: 11, r: 2.7, class: "baton" }),
  );
