/* The answer to a question as a form, made from the schema that it must fit. */
import { h } from "../../vendor/preact.js";
import { useMemo, useRef, useState } from "../../vendor/hooks.js";
import { DECLINE, answerOf, formOf } from "../../model/asks/asked.js";
import { visible } from "../../model/words.js";
import {
  button,
  code,
  cx,
  div,
  em,
  footer,
  input,
  kbd,
  label,
  option,
  p,
  select,
  small,
  span,
} from "../../parts/elements.js";
import { SENDS } from "../../parts/shared.js";
import { may } from "../../wire/api.js";

/**
 * @param {object} props
 * @param {any} props.ask
 * @param {boolean} props.busy
 * @param {(text: string) => void} props.send
 * @param {any} props.instead What is shown where the schema is too much for a form.
 */
export function Answering({ ask, busy, send, instead }) {
  const made = useMemo(() => formOf(ask.schema), [ask.id]);
  const [held, setHeld] = useState(/** @type {Map<string, string[]>} */ (new Map()));
  const [told, setTold] = useState(false);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  if (!made) return instead;
  const { text, wrong } = answerOf(made, held);
  const isWrong = Object.keys(wrong).length > 0;
  const submit = () => {
    if (busy) return;
    setTold(true);
    const first = made.fields.findIndex(({ name }) => name in wrong);
    if (!isWrong) send(text);
    else focusOn(box.current?.children[first]);
  };
  const sends = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    submit();
  };
  return [
    ask.server
      ? p({ class: "why", key: "who" }, "The MCP server ", code(null, visible(ask.server)), " asks")
      : null,
    div(
      { class: "fields answering", key: "fields", ref: box, onKeyDown: sends },
      made.fields.map((field) =>
        h(Field, {
          key: field.name,
          id: `${ask.id}-${field.name}`,
          field,
          texts: held.get(field.name) ?? field.given,
          wrong: told ? (wrong[field.name] ?? "") : "",
          set: (/** @type {string[]} */ some) => setHeld(new Map(held).set(field.name, some)),
        }),
      ),
    ),
    h(Sending, { key: "foot", busy, submit, decline: made.single ? null : () => send(DECLINE) }),
  ];
}

/** @param {Element | undefined} field */
const focusOn = (field) =>
  /** @type {HTMLElement | null | undefined} */ (field?.querySelector("input, select"))?.focus();

/**
 * @param {object} props
 * @param {boolean} props.busy
 * @param {() => void} props.submit
 * @param {(() => void) | null} props.decline Null where the question can't be declined.
 */
const Sending = ({ busy, submit, decline }) =>
  may("runs:steer")
    ? footer(
        null,
        button(
          {
            class: "btn primary",
            type: "button",
            "data-decide": "answer",
            disabled: busy,
            onClick: submit,
          },
          "Answer",
          kbd(null, SENDS),
        ),
        decline
          ? button(
              { class: "btn danger", type: "button", disabled: busy, onClick: decline },
              "Decline",
            )
          : null,
      )
    : footer(
        null,
        small(null, "You may not answer: your key lacks ", code(null, "runs:steer"), "."),
      );

/**
 * @param {object} props
 * @param {string} props.id
 * @param {import("../../model/asks/asked.js").Asked} props.field
 * @param {string[]} props.texts
 * @param {string} props.wrong
 * @param {(texts: string[]) => void} props.set
 */
function Field({ id, field, texts, wrong, set }) {
  const { name, help, required } = field;
  const many = field.control === "choices";
  const about = [help && `${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(" ");
  const words = [
    span({ key: "label" }, visible(field.label)),
    em({ key: "must" }, required ? "required" : "optional"),
  ];
  const access = {
    "aria-describedby": about || undefined,
    "aria-invalid": wrong ? "true" : undefined,
  };
  return div(
    {
      class: cx("field", many && "several", wrong && "bad"),
      "data-field": name,
      ...(many && { role: "group", "aria-labelledby": `${id}-label`, ...access }),
    },
    many ? span({ class: "lbl", id: `${id}-label` }, words) : label({ for: id }, words),
    many
      ? boxes(field, texts, set)
      : control(field, { id, required, ...access }, texts[0] ?? "", (text) => set([text])),
    help ? small({ id: `${id}-help` }, visible(help)) : null,
    wrong ? small({ class: "t-fail", id: `${id}-wrong`, role: "alert" }, wrong) : null,
  );
}

/**
 * @param {import("../../model/asks/asked.js").Asked} field
 * @param {any} props
 * @param {string} text
 * @param {(text: string) => void} set
 */
function control({ control: kind, choices, schema }, props, text, set) {
  const onInput = (/** @type {any} */ event) => set(event.target.value);
  if (kind === "choice") {
    return select(
      { ...props, value: text, onChange: onInput },
      option({ value: "", selected: text === "" }, "Choose …"),
      choices.map(([value, word]) =>
        option({ key: value, value, selected: value === text }, visible(word)),
      ),
    );
  }
  const inputmode = { integer: "numeric", number: "decimal" }[String(schema.type)];
  return input({ ...props, value: text, onInput, spellcheck: false, inputmode });
}

/**
 * @param {import("../../model/asks/asked.js").Asked} field
 * @param {string[]} texts
 * @param {(texts: string[]) => void} set
 */
const boxes = ({ choices }, texts, set) =>
  choices.map(([value, word]) =>
    label(
      { class: "check", key: value },
      input({
        type: "checkbox",
        checked: texts.includes(value),
        onChange: (/** @type {any} */ event) =>
          set(
            choices
              .map(([one]) => one)
              .filter((one) => (one === value ? event.target.checked : texts.includes(one))),
          ),
      }),
      visible(word),
    ),
  );
