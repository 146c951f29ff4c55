/* Go to a run, a page or a command by a few letters. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { Dialog, close } from "../parts/dialog.js";
import { b, button, div, input, small, span } from "../parts/elements.js";
import { glyph, icon } from "../parts/icons.js";
import { toggleTheme } from "../parts/keyboard.js";
import { go, openPlaces } from "../parts/navigation.js";
import { dialog } from "../parts/shared.js";
import { call, may } from "../wire/api.js";

const SOON_MS = 120;
const RUN_ID = /^run_[0-9a-z]{16,64}$/;

/** @typedef {{word: string, more: string, picture: any, act: () => void}} Choice */

/** @returns {Choice[]} */
const commands = () => [
  { word: "Runs", more: "G R", picture: icon("runs"), act: () => go("/runs") },
  { word: "Inbox", more: "G I", picture: icon("inbox"), act: () => go("/inbox") },
  { word: "Agents", more: "G A", picture: icon("agents"), act: () => go("/agents") },
  { word: "System", more: "G S", picture: icon("system"), act: () => go("/system") },
  ...openPlaces().map(({ path, picture, word, letter }) => ({
    word,
    more: `G ${letter.toUpperCase()}`,
    picture: icon(picture),
    act: () => go(path),
  })),
  ...(may("runs:write")
    ? [{ word: "New run", more: "N", picture: icon("plus"), act: () => (dialog.value = "new") }]
    : []),
  { word: "Light or dark", more: "T", picture: icon("moon"), act: toggleTheme },
  { word: "Keyboard", more: "?", picture: icon("bolt"), act: () => (dialog.value = "keys") },
];

/** @param {any} run @returns {Choice} */
const choiceOf = (run) => ({
  word: run.title || run.run_id,
  more: run.agent ?? "",
  picture: glyph(run.status),
  act: () => go(`/runs/${run.run_id}`),
});

/** The newest runs with these words. @param {string} text */
function useRuns(text) {
  const [runs, setRuns] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    const words = text.trim();
    const query = words ? `&q=${encodeURIComponent(words.slice(0, 200))}` : "";
    const timer = setTimeout(() => {
      call("GET", `/v1/runs?limit=8${query}`).then(
        (page) => setRuns(page.runs),
        () => setRuns([]),
      );
    }, SOON_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return runs;
}

/** What fits the text. @param {string} text @returns {Choice[]} */
function useChoices(text) {
  const runs = useRuns(text);
  const wanted = text.trim().toLowerCase();
  const direct = RUN_ID.test(wanted)
    ? [{ word: wanted, more: "run", picture: icon("runs"), act: () => go(`/runs/${wanted}`) }]
    : [];
  const fitting = commands().filter(({ word }) => word.toLowerCase().includes(wanted));
  return [...direct, ...fitting, ...runs.map(choiceOf)];
}

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const choices = useChoices(text);
  const pick = (/** @type {Choice | undefined} */ choice) => {
    close();
    choice?.act();
  };
  const pressed = (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) setAt(Math.max(0, Math.min(choices.length - 1, at + by)));
    else if (event.key === "Enter") pick(choices[at]);
    else return;
    event.preventDefault();
  };
  const typed = (/** @type {any} */ event) => {
    setText(event.target.value);
    setAt(0);
  };
  return h(
    Dialog,
    { title: "Go to", class: "palette" },
    input({
      class: "go",
      value: text,
      autofocus: true,
      spellcheck: false,
      placeholder: "A run, a page, a command",
      role: "combobox",
      "aria-label": "Go to",
      "aria-expanded": "true",
      "aria-controls": "choices",
      "aria-activedescendant": `choice-${at}`,
      onKeyDown: pressed,
      onInput: typed,
    }),
    h(Choices, { choices, at, pick }),
  );
}

/** @param {{choices: Choice[], at: number, pick: (choice: Choice) => void}} props */
const Choices = ({ choices, at, pick }) =>
  div(
    { id: "choices", role: "listbox", "aria-label": "Choices" },
    choices.map((choice, index) =>
      button(
        {
          id: `choice-${index}`,
          key: index,
          role: "option",
          type: "button",
          tabIndex: -1,
          "aria-selected": index === at,
          class: index === at ? "on" : "",
          onClick: () => pick(choice),
        },
        choice.picture,
        b(null, choice.word),
        span({ class: "grow" }),
        small(null, choice.more),
      ),
    ),
  );
