/* A question's JSON Schema as fields of a form, and the form as the answer's text. Pure. */
import { isRounded } from "../words.js";

/** Longer forms are written as text. */
const MAX_FIELDS = 60;
const MAX_CHOICES = 200;

/**
 * @typedef {object} Asked A field of the answer.
 * @property {string} name
 * @property {string} label
 * @property {string} help
 * @property {"line" | "number" | "choice" | "choices"} control
 * @property {[string, string][]} choices Values with their names.
 * @property {boolean} required
 * @property {string[]} given What it holds at first; one text unless it has several choices.
 * @property {any} schema
 */

/** @typedef {{fields: Asked[], single: boolean}} Form `single`: the answer is the field's value. */

/**
 * The form for an answer that must fit a schema; null if it can only be written as text.
 *
 * It knows objects whose properties are texts, numbers, yes or no, and choices, as MCP servers ask
 * for them; and a choice between texts.
 * @param {any} schema
 * @returns {Form | null}
 */
export function formOf(schema) {
  if (!schema) return null;
  if (schema.type === "object") return objectForm(schema);
  const choices = namesOf(schema);
  if (!choices?.length) return null;
  const one = fieldOf("answer", { title: "Answer", ...schema, type: "string" }, true);
  return one && { fields: [one], single: true };
}

/**
 * An object without properties is a form that only confirms; one that does not say which it has, or
 * requires others, is none.
 * @param {any} schema
 * @returns {Form | null}
 */
function objectForm({ properties, required }) {
  if (typeof properties !== "object" || properties === null || Array.isArray(properties)) {
    return null;
  }
  const names = Object.keys(properties);
  const needed = listOf(required);
  if (names.length > MAX_FIELDS || !needed.every((name) => names.includes(name))) return null;
  const fields = names.map((name) => fieldOf(name, properties[name], needed.includes(name)));
  const known = fields.filter((field) => field !== null);
  return known.length === fields.length ? { fields: known, single: false } : null;
}

/**
 * The values that a schema lists, with their names; null if it lists none.
 * @param {any} schema
 * @returns {[string, string][] | null}
 */
function namesOf(schema) {
  const listed = schema.oneOf ?? schema.anyOf;
  if (!listed && !schema.enum) return null;
  const names = listOf(schema.enumNames);
  /** @type {[any, any][]} */
  const found = listed
    ? listOf(listed).map((it) => [it?.const, it?.title ?? it?.const])
    : listOf(schema.enum).map((value, at) => [value, names[at] ?? value]);
  const fits = found.length <= MAX_CHOICES && found.every(([value]) => typeof value === "string");
  return fits ? found.map(([value, name]) => [value, textOf(name, value)]) : [];
}

const PLAIN = ["string", "number", "boolean"];
/** A schema may hold anything: not all of it has a text. @param {any} value */
const isPlain = (value) => PLAIN.includes(typeof value);

/** @param {any} value @param {string} otherwise @returns {string} */
const textOf = (value, otherwise) => (isPlain(value) ? String(value) : otherwise);

/** @param {any} value @param {number} otherwise @returns {number} */
const numberOf = (value, otherwise) => (typeof value === "number" ? value : otherwise);

/** @param {any} value @returns {any[]} */
const listOf = (value) => (Array.isArray(value) ? value : []);

/** @param {string} name @param {any} one @param {boolean} required @returns {Asked | null} */
function fieldOf(name, one, required) {
  const many = one?.type === "array";
  const listed = namesOf((many ? one.items : one) ?? {});
  const control = controlOf(one?.type, listed, many);
  if (!control || listed?.length === 0) return null;
  const choices = one.type === "boolean" ? YES_OR_NO : (listed ?? []);
  return {
    name,
    label: textOf(one.title, name),
    help: textOf(one.description, ""),
    control,
    choices,
    required,
    given: givenOf(one.default, control, choices),
    schema: one,
  };
}

/**
 * What a field holds at first: nothing that it does not show.
 * @param {any} value
 * @param {Asked["control"]} control
 * @param {[string, string][]} choices
 */
function givenOf(value, control, choices) {
  const texts = (control === "choices" ? [value].flat() : [value]).filter(isPlain).map(String);
  if (control !== "choice" && control !== "choices") return texts;
  return choices.map(([one]) => one).filter((one) => texts.includes(one));
}

/** @type {[string, string][]} */
const YES_OR_NO = [
  ["true", "Yes"],
  ["false", "No"],
];

/**
 * @param {any} type
 * @param {[string, string][] | null} choices
 * @param {boolean} many
 * @returns {Asked["control"] | null}
 */
function controlOf(type, choices, many) {
  if (many) return choices ? "choices" : null;
  if (type === "boolean" || (choices && (type ?? "string") === "string")) return "choice";
  if (type === "integer" || type === "number") return "number";
  return type === "string" ? "line" : null;
}

/**
 * The answer's text, or what is wrong, by field.
 * @param {Form} form
 * @param {Map<string, string[]>} held What the fields hold now, by name.
 * @returns {{text: string, wrong: Record<string, string>}}
 */
export function answerOf(form, held) {
  /** @type {[string, any][]} */
  const content = [];
  /** @type {[string, string][]} */
  const wrong = [];
  for (const field of form.fields) {
    const texts = held.get(field.name) ?? field.given;
    const left = texts.every((text) => text === "");
    if (left && !field.required) continue;
    const said = left ? "is required" : misfit(field, texts);
    if (said) wrong.push([field.name, said]);
    else content.push([field.name, valueOf(field, texts)]);
  }
  const text = form.single ? String(content[0]?.[1] ?? "") : JSON.stringify(objectOf(content));
  return { text, wrong: objectOf(wrong) };
}

/** An object with no ancestors, so that `__proto__` is a name as any other. */
const objectOf = (/** @type {[string, any][]} */ entries) =>
  Object.assign(Object.create(null), Object.fromEntries(entries));

/** @param {Asked} field @param {string[]} texts */
function valueOf({ control, schema }, texts) {
  if (control === "choices") return texts;
  if (schema.type === "boolean") return texts[0] === "true";
  return control === "number" ? Number(texts[0]) : texts[0];
}

/** What is wrong, in words; empty if nothing is. @param {Asked} field @param {string[]} texts */
function misfit({ control, schema }, texts) {
  if (control === "number") return wrongNumber(schema, texts[0]);
  if (control === "choices") {
    if (texts.length < numberOf(schema.minItems, 0)) return `needs at least ${schema.minItems}`;
    const most = numberOf(schema.maxItems, Infinity);
    return texts.length > most ? `takes at most ${most}` : "";
  }
  if (control !== "line") return "";
  const long = [...texts[0]].length;
  if (long < numberOf(schema.minLength, 0)) return `needs at least ${schema.minLength} characters`;
  const most = numberOf(schema.maxLength, Infinity);
  return long > most ? `takes at most ${most} characters` : "";
}

/** @param {any} schema @param {string} text */
function wrongNumber(schema, text) {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return "must be a number";
  if (schema.type === "integer" && !Number.isInteger(value)) return "must be a whole number";
  if (isRounded(value)) return "is too large for a browser";
  if (value < numberOf(schema.minimum, -Infinity)) return `must be at least ${schema.minimum}`;
  const most = numberOf(schema.maximum, Infinity);
  return value > most ? `must be at most ${most}` : "";
}
