/* Facts of which the transcript has one line. Pure. */

/** By type, the line of an event with that data. @type {Record<string, (data: any) => string>} */
export const NOTES = {
  "context.compacted": (data) =>
    `The model's context is shortened: ${data.left_out} messages left out`,
  "output.rejected": (data) =>
    `The answer does not fit (${data.rejections} of ${data.allowed}): ${data.problem}`,
  "budget.exceeded": (data) => `${data.limit} is reached: ${data.used} of ${data.allowed}`,
  "attempt.lost": (data) =>
    `The worker of ${data.name ?? "the model call"} is lost; another takes over`,
};
