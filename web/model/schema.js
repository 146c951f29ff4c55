/* A tool's JSON Schema as fields of a form, and the form as arguments. Pure. */
import { isRounded } from "./words.js";

export const ROUNDED = "has a number that a browser rounds: it can only be sent as it is";

/** As much of a text is seen in half the width of a form. */
const LINE_CHARS = 28;

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {"switch" | "number" | "choice" | "line" | "lines" | "json"} control
 * @property {string} text What the field shows at first.
 * @property {string[]} choices
 * @property {string} help
 * @property {boolean} required
 * @property {boolean} integer
 */

/**
 * The fields for these arguments, in the schema's order.
 * @param {any} schema
 * @param {Record<string, any>} values
 * @returns {Field[]}
 */
export function fieldsOf(schema, values) {
  const properties = schema?.properties ?? {};
  const required = schema?.required ?? [];
  const given = Object.keys(values).filter((name) => !(name in properties));
  return [...Object.keys(properties), ...given].map((name) => {
    const one = properties[name] ?? {};
    const value = values[name];
    const control = controlOf(one, value);
    return {
      name,
      control,
      text: textOf(control, value),
      choices: control === "choice" ? one.enum : [],
      help: one.description ?? "",
      required: required.includes(name),
      integer: one.type === "integer",
    };
  });
}

/** @param {any} schema @param {any} value @returns {Field["control"]} */
function controlOf(schema, value) {
  if (schema.enum?.every((/** @type {any} */ it) => typeof it === "string")) return "choice";
  const type = schema.type ?? (value === undefined ? "string" : typeof value);
  if (value !== undefined && !fits(type, value)) return "json";
  if (type === "boolean") return "switch";
  if (type === "number" || type === "integer") return "number";
  if (type !== "string") return "json";
  const long = typeof value === "string" && (value.length > LINE_CHARS || value.includes("\n"));
  return long ? "lines" : "line";
}

/** @param {any} type @param {any} value */
const fits = (type, value) =>
  type === "integer" || type === "number" ? typeof value === "number" : typeof value === type;

/** @param {Field["control"]} control @param {any} value */
function textOf(control, value) {
  if (value === undefined) return "";
  return control === "json" ? JSON.stringify(value, null, 2) : String(value);
}

/**
 * The arguments that a form gives, and which of them differ.
 * @param {Field[]} fields
 * @param {Record<string, string>} texts What the fields hold now, by name.
 * @param {Record<string, any>} values What they were made from.
 * @returns {{values: Record<string, any>, changed: string[], wrong: Record<string, string>}}
 */
export function argumentsOf(fields, texts, values) {
  /** @type {Record<string, any>} */
  const found = {};
  const changed = [];
  /** @type {Record<string, string>} */
  const wrong = {};
  const rounded = [];
  for (const field of fields) {
    const text = texts[field.name] ?? field.text;
    const was = values[field.name];
    if (text === field.text) {
      if (was !== undefined) found[field.name] = was;
      if (rounds(was)) rounded.push(field.name);
      continue;
    }
    changed.push(field.name);
    const read = valueOf(field, text);
    if (read.wrong) wrong[field.name] = read.wrong;
    else if (read.value !== undefined) found[field.name] = read.value;
  }
  if (changed.length) for (const name of rounded) wrong[name] = ROUNDED;
  return { values: found, changed, wrong };
}

/** True if it has a number that a browser rounds. @param {any} value @returns {boolean} */
export const rounds = (value) =>
  typeof value === "object" && value !== null
    ? Object.values(value).some(rounds)
    : isRounded(value);

/** @param {Field} field @param {string} text @returns {{value?: any, wrong?: string}} */
function valueOf(field, text) {
  if (field.control === "switch") return { value: text === "true" };
  if (text === "" && !field.required && field.control !== "line" && field.control !== "lines") {
    return {};
  }
  if (field.control === "number") {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value)) return { wrong: "must be a number" };
    if (isRounded(value)) return { wrong: ROUNDED };
    const whole = Number.isInteger(value) || !field.integer;
    return whole ? { value } : { wrong: "must be a whole number" };
  }
  if (field.control !== "json") return { value: text };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { wrong: /** @type {Error} */ (error).message };
  }
}
