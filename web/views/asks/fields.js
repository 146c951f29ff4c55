/* The arguments of a call as fields, those that differ from the model's marked. */
import {
  code,
  cx,
  div,
  em,
  i,
  input,
  label,
  option,
  select,
  small,
  span,
  textarea,
} from "../../parts/elements.js";
import { visible } from "../../model/words.js";

/**
 * @typedef {object} Props
 * @property {string} of The approval: ids of fields begin with it.
 * @property {import("../../model/schema.js").Field[]} fields
 * @property {Record<string, string>} texts What a person has typed, by field.
 * @property {Record<string, string>} wrong What is wrong with it.
 * @property {string} refused The field that the server has refused, such as `arguments.path`.
 * @property {(name: string, text: string) => void} set
 */

/** @param {Props} props */
export const Fields = ({ of, fields, texts, wrong, refused, set }) =>
  div(
    { class: "fields" },
    fields.map((field) => {
      const text = texts[field.name] ?? field.text;
      const changed = text !== field.text;
      const bad = wrong[field.name] || refused === `arguments.${field.name}`;
      return div(
        {
          class: cx(
            "field",
            field.control === "switch" && "bool",
            changed && "changed",
            bad && "bad",
          ),
          key: field.name,
          "data-field": field.name,
        },
        label(
          { for: `${of}-${field.name}`, title: field.help },
          code(null, field.name),
          field.required ? null : em(null, "optional"),
        ),
        control(`${of}-${field.name}`, field, text, (/** @type {string} */ given) =>
          set(field.name, given),
        ),
        changed
          ? small(
              { class: "was", title: visible(field.text) },
              `was ${visible(field.text).slice(0, 60) || "empty"}`,
            )
          : null,
        wrong[field.name] ? small({ class: "t-fail" }, wrong[field.name]) : null,
      );
    }),
  );

const ROW_CHARS = 64;

/** How many rows show the whole text. @param {string} text */
const rowsOf = (text) =>
  text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / ROW_CHARS)), 0);

/**
 * @param {string} id
 * @param {import("../../model/schema.js").Field} field
 * @param {string} text
 * @param {(t: string) => void} set
 */
function control(id, field, text, set) {
  const onInput = (/** @type {any} */ event) => set(event.target.value);
  const rows = Math.min(10, rowsOf(text) + (field.control === "json" ? 1 : 0));
  switch (field.control) {
    case "switch":
      return span(
        { class: "switch" },
        input({
          id,
          type: "checkbox",
          checked: text === "true",
          onChange: (/** @type {any} */ event) => set(String(event.target.checked)),
        }),
        i(null),
      );
    case "choice":
      return select(
        { id, value: text, onChange: onInput },
        field.choices.map((one) => option({ value: one, selected: one === text }, one)),
      );
    case "lines":
    case "json":
      return textarea({ id, rows, value: text, onInput, spellcheck: false });
    default:
      return input({
        id,
        value: text,
        onInput,
        spellcheck: false,
        inputmode: field.control === "number" ? "decimal" : undefined,
      });
  }
}
