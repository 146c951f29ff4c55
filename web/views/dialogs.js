/* Dialogs: native ones, so that focus stays in them and comes back after them. */
import { h } from "../vendor/preact.js";
import { useState } from "../vendor/hooks.js";
import { Dialog, close } from "../parts/dialog.js";
import {
  button,
  div,
  em,
  footer,
  form,
  h3,
  input,
  kbd,
  label,
  p,
  section,
  span,
} from "../parts/elements.js";
import { off, switchOff } from "../parts/keyboard.js";
import { openPlaces } from "../parts/navigation.js";
import { COMMAND, dialog } from "../parts/shared.js";
import { useCommand } from "../parts/commands.js";
import { name, rename } from "../wire/api.js";
import { More } from "./more.js";
import { NewRun } from "./new_run.js";
import { Palette } from "./palette.js";

export function Dialogs() {
  const open = dialog.value;
  if (open === "keys") return h(Keys, null);
  if (open === "name") return h(Name, null);
  if (open === "new") return h(NewRun, { given: {} });
  if (open === "more") return h(More, null);
  if (open === "palette") return h(Palette, null);
  if (open?.again) return h(NewRun, { given: open.again });
  if (open?.cancel) return h(Cancel, { id: open.cancel, turn: open.turn });
  if (open?.close) return h(Close, { id: open.close });
  if (open?.draw) return open.draw();
  return null;
}

/** @type {[string, [string, string][]][]} */
const KEYS = [
  [
    "Anywhere",
    [
      [`${COMMAND} K`, "go to a run, a page, a command"],
      ["G R", "runs"],
      ["G I", "inbox"],
      ["G A", "agents"],
      ["G S", "system"],
      ["N", "new run"],
      ["/", "search"],
      ["T", "light or dark"],
      ["?", "this"],
    ],
  ],
  [
    "Lists",
    [
      ["J K", "down, up"],
      ["↵", "open"],
      ["U", "back to the list"],
    ],
  ],
  [
    "A run",
    [
      ["P", "pause, resume"],
      ["R", "redirect"],
      ["⇧ C", "cancel, after a question"],
      ["L", "follow the end"],
      ["1 2 3", "timeline, events, details"],
    ],
  ],
  [
    "An approval",
    [
      ["A", "approve"],
      ["D", "deny"],
      ["E", "edit the arguments"],
    ],
  ],
];

/** The keys of pages that not everybody may see. @returns {[string, [string, string][]]} */
const keysOfPlaces = () => [
  "More pages",
  openPlaces().map(({ letter, word }) => [`G ${letter.toUpperCase()}`, word.toLowerCase()]),
];

const Keys = () =>
  h(
    Dialog,
    { title: "Keyboard", class: "wide" },
    div(
      { class: "keys", tabIndex: 0, role: "group", "aria-label": "All keys" },
      [...KEYS, keysOfPlaces()].map(([group, rows]) =>
        section(
          { key: group },
          h3(null, group),
          rows.map(([keys, what]) =>
            p(
              { key: keys },
              span(
                null,
                keys.split(" ").map((one) => kbd(null, one)),
              ),
              what,
            ),
          ),
        ),
      ),
    ),
    label(
      { class: "check" },
      input({
        type: "checkbox",
        checked: !off.value,
        onChange: (/** @type {any} */ event) => switchOff(!event.target.checked),
      }),
      "Keys without ⌘ or Ctrl are on",
    ),
  );

function Name() {
  const [text, setText] = useState(name.value);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    rename(text);
    close();
  };
  return h(
    Dialog,
    { title: "Your name" },
    form(
      { onSubmit: submit },
      div(
        { class: "form" },
        p(
          null,
          "It is sent with each command and shown in the events. Nobody checks it: " +
            "authentication is off.",
        ),
        div(
          { class: "field" },
          label({ for: "who" }, "Name"),
          input({
            id: "who",
            value: text,
            maxLength: 64,
            autofocus: true,
            onInput: (/** @type {any} */ event) => setText(event.target.value),
          }),
        ),
      ),
      footer(null, span({ class: "grow" }), button({ class: "btn primary" }, "Save")),
    ),
  );
}

/** @param {{id: string}} props */
function Close({ id }) {
  const { send, busy, problem } = useCommand(id, "Closed");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (await send("close", {}, "Closed", "It ends when its turn is over")) close();
  };
  return h(
    Dialog,
    { title: "Close this conversation?" },
    form(
      { onSubmit: submit },
      div(
        { class: "form" },
        p(null, "It takes no further message, and ends when its turns are over."),
        problem ? p({ class: "t-fail", role: "alert" }, problem.message) : null,
      ),
      footer(
        null,
        span({ class: "grow" }),
        button({ class: "btn quiet", type: "button", onClick: close }, "Keep it open"),
        button({ class: "btn primary", disabled: busy, autofocus: true }, "Close it"),
      ),
    ),
  );
}

/**
 * @param {object} props
 * @param {string} props.id
 * @param {boolean} [props.turn] A turn of a conversation runs: it alone can be cancelled.
 */
function Cancel({ id, turn }) {
  const [reason, setReason] = useState("");
  const { send, busy, problem } = useCommand(id, "Cancelled");
  const cancel = async (/** @type {any} */ more) => {
    if (await send("cancel", { reason, ...more })) close();
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void cancel({});
  };
  return h(
    Dialog,
    { title: "Cancel this run?" },
    form(
      { onSubmit: submit },
      div(
        { class: "form" },
        p(null, "Model and tool calls are stopped; what was said stays."),
        div(
          { class: "field" },
          label({ for: "reason" }, "Reason ", em(null, "optional")),
          input({
            id: "reason",
            value: reason,
            autofocus: true,
            onInput: (/** @type {any} */ event) => setReason(event.target.value),
          }),
        ),
        problem ? p({ class: "t-fail", role: "alert" }, problem.message) : null,
      ),
      footer(
        null,
        span({ class: "grow" }),
        button({ class: "btn quiet", type: "button", onClick: close }, "Keep it"),
        turn
          ? button(
              {
                class: "btn",
                type: "button",
                disabled: busy,
                onClick: () => cancel({ scope: "turn" }),
              },
              "Cancel the turn",
            )
          : null,
        button({ class: "btn primary bad", disabled: busy }, "Cancel the run"),
      ),
    ),
  );
}
