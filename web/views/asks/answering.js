/* The answer to a question as a form, made from the schema that it must fit. */
import { h } from "../../vendor/preact.js";
import { useMemo, useRef, useState } from "../../vendor/hooks.js";
import { answerOf, formOf } from "../../model/asks/asked.js";
import { visible } from "../../model/words.js";
import { cx, div, em, input, label, option, select, small, span } from "../../parts/elements.js";
import { Sending, atSend, mayAnswer } from "./sending.js";

/**
 * @param {object} props
 * @param {any} props.ask
 * @param {boolean} props.busy
 * @param {(text: string) => void} props.send
 * @param {(() => void) | null} props.decline Null where the question can't be declined.
 * @param {any} props.instead What is shown where the schema is too much for a form.
 */
export function Answering({ ask, busy, send, decline, instead }) {
  const made = useMemo(() => formOf(ask.schema), [ask.id]);
  const [held, setHeld] = useState(/** @type {Map<string, string[]>} */ (new Map()));
  const [told, setTold] = useState(false);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  if (!made) return instead;
  const { text, wrong } = answerOf(made, held);
  const isWrong = Object.keys(wrong).length > 0;
  const submit = () => {
    if (busy || !mayAnswer()) return;
    setTold(true);
    const first = made.fields.findIndex(({ name }) => name in wrong);
    if (!isWrong) send(text);
    else focusOn(box.current?.children[first]);
  };
  return [
    div(
      { class: "fields answering", key: "fields", ref: box, onKeyDown: atSend(submit) },
      made.fields.map((field, at) =>
        h(Field, {
          key: field.name,
          id: `${ask.id}-${at}`,
          field,
          texts: held.get(field.name) ?? field.given,
          wrong: told ? (wrong[field.name] ?? "") : "",
          set: (/** @type {string[]} */ some) => setHeld(new Map(held).set(field.name, some)),
        }),
      ),
    ),
    h(Sending, { key: "foot", busy, submit, decline }),
  ];
}

/** @param {Element | undefined} field */
const focusOn = (field) =>
  /** @type {HTMLElement | null | undefined} */ (field?.querySelector("input, select"))?.focus();

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
