/* A list without rows: no run fits, or there are none yet and one can try three. */
import { h } from "../../vendor/preact.js";
import { b, button, code, div, h3, p, pre, small } from "../../parts/elements.js";
import { icon, logo } from "../../parts/icons.js";
import { go } from "../../parts/navigation.js";
import { dialog } from "../../parts/shared.js";
import { may } from "../../wire/api.js";

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

/** The form opens with what is chosen filled in. */
const Starts = () =>
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

/** @param {{filtered: boolean}} props */
export const None = ({ filtered }) => h(filtered ? NoMatch : NoRuns, null);

const NoMatch = () =>
  div(
    { class: "empty" },
    logo(),
    h3(null, "No run fits these filters"),
    p(null, "Take one away, or look further back."),
    button({ class: "btn quiet", onClick: () => go("/runs") }, "Clear filters"),
  );

const NoRuns = () =>
  div(
    { class: "empty" },
    logo(),
    h3(null, "No runs yet"),
    p(
      null,
      "Start one here or from a terminal. The model ",
      code(null, "rehearsal"),
      " needs no key.",
    ),
    may("runs:write") ? h(Starts, null) : null,
    pre({ class: "out" }, 'relayline run "What is 6*7? See README.md" --watch'),
  );
