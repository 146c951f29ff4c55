/* What a run has used: tokens and money, and what counts against its limits. Pure. */

/** @typedef {import("./run.js").Run} Run */

/**
 * The run's own sum once it has ended, before that the sum of its whole messages.
 * @param {Run} run
 */
export const usageOf = (run) => run.finalUsage ?? sum(own(run, run.steps));

/** Those steps or calls that no past has. @param {Run} run @param {Map<any, any>} all */
const own = (run, all) => [...all.values()].filter((it) => it.seq > run.inheritedTo);

/**
 * What counts against the limits, which hold for each turn of a conversation: there, what the
 * newest turn has used.
 * @param {Run} run
 */
export function countedOf(run) {
  const { open } = run.head;
  const turnOf = (/** @type {number} */ step) => run.byId.get(`step-${step}`)?.turn;
  const mine = (/** @type {any} */ it) => !open || turnOf(it.step) === run.turn;
  const steps = own(run, run.steps).filter(mine);
  return {
    turn: open ? run.turn : 0,
    steps: steps.length,
    calls: own(run, run.tools).filter(mine).length,
    usage: open ? { ...sum(steps), cost: costOf(steps) } : usageOf(run),
  };
}

/** @param {any[]} steps @returns {any} */
function sum(steps) {
  const found = { input_tokens: 0, output_tokens: 0 };
  for (const { interrupted, usage } of steps) {
    if (interrupted) continue;
    found.input_tokens += usage.input_tokens;
    found.output_tokens += usage.output_tokens;
  }
  return found;
}

/** Null where no step has one. @param {any[]} steps */
function costOf(steps) {
  const costs = steps.map(({ usage }) => usage.cost).filter(Boolean);
  if (!costs.length) return null;
  const amount = costs.reduce((all, cost) => all + Number(cost.amount), 0).toFixed(10);
  return { amount: String(Number(amount)), estimated: costs.some((it) => it.estimated) };
}
