/* What one can try while there are no runs: the form opens with it filled in. */
import { b, button, div, small } from "../parts/elements.js";
import { icon } from "../parts/icons.js";
import { dialog } from "../parts/shared.js";

/** @param {any[]} rehearse */
const script = (...rehearse) => JSON.stringify({ rehearse }, null, 1);

/** @type {[any, string, string, string][]} */
const TRIES = [
  [
    "search",
    "Ask about a file",
    "Two tools are called, and the answer is written from what they gave.",
    "What is 6*7? See README.md",
  ],
  [
    "warn",
    "Approve what a tool will do",
    "The run waits for you: approve, change the arguments, or deny.",
    script(
      { say: "I would like to leave a note." },
      { call: "write_file", arguments: { path: "hello.txt", content: "Hello from a run." } },
      { say: "The note is written." },
    ),
  ],
  [
    "bolt",
    "Lose a worker in mid-answer",
    "A minute of text: kill the worker while it writes, and see another take over.",
    script({ tokens: 1200, every_ms: 50 }, { say: "Nothing was lost." }),
  ],
];

export const Starts = () =>
  div(
    { class: "starts" },
    TRIES.map(([picture, word, more, input]) =>
      button(
        { key: word, onClick: () => (dialog.value = { again: { model: "rehearsal", input } }) },
        icon(picture),
        b(null, word),
        small(null, more),
      ),
    ),
  );
