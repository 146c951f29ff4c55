/* What a run knew when it asked: the results that its model had read. Pure. */
import { applyEvents, emptyRun } from "../run.js";

/** Events that make these results. */
export const TYPES = [
  "message.completed",
  "run.rewound",
  "tool.started",
  "tool.completed",
  "tool.failed",
  "tool.cancelled",
  "tool.abandoned",
];
const OVER = new Set(["completed", "failed", "cancelled", "abandoned"]);
/** Kinds of items that a call asks for: the other calls of its step end without the model. */
const ASKED_BY_A_CALL = new Set(["approval", "input"]);

/**
 * The tool calls whose results the model had when it asked, oldest first.
 * @param {any[]} events The newest of a run, in order.
 * @param {{kind: string, step: number}} item What waits for a person.
 * @returns {import("../steps.js").Tool[]}
 */
export function knownTo(events, { kind, step }) {
  const { tools } = applyEvents(emptyRun(true), events);
  const before = (/** @type {import("../steps.js").Tool} */ tool) =>
    !ASKED_BY_A_CALL.has(kind) || tool.step < step;
  return [...tools.values()].filter((tool) => OVER.has(tool.state) && before(tool));
}
