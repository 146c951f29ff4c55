/* A rule of approval in words, where it is a simple one. Pure. */

/** @type {Record<string, string>} */
const SIGNS = {
  exclusiveMinimum: ">",
  minimum: "≥",
  exclusiveMaximum: "<",
  maximum: "≤",
};
const READ = new Set(["type", "properties", "required"]);

/**
 * The rule in words; empty where they would not say all of it.
 * @param {any} rule A JSON Schema of the arguments.
 * @param {any} [given] The arguments that match. Without them, those of some call.
 */
export function inWords(rule, given) {
  if (typeof rule !== "object" || Object.keys(rule).some((word) => !READ.has(word))) return "";
  const about = Object.entries(rule.properties ?? {}).flatMap(([name, one]) =>
    Object.entries(one).map(([word, value]) => part(name, word, value, given)),
  );
  const there = (rule.required ?? [])
    .filter((/** @type {string} */ name) => !(name in (rule.properties ?? {})))
    .map((/** @type {string} */ name) => `${name} is given`);
  const parts = [...about, ...there];
  return parts.every(Boolean) ? parts.join(" and ") : "";
}

/**
 * Nothing is said of an argument that is missing or of another kind: a schema lets it pass.
 * @param {string} name
 * @param {string} word
 * @param {any} value
 * @param {any} given
 */
function part(name, word, value, given) {
  const is = (/** @type {string} */ kind) => !given || typeof given[name] === kind;
  if (given && !(name in given)) return "";
  if (word in SIGNS) return is("number") ? `${name} ${SIGNS[word]} ${value}` : "";
  if (word === "pattern") return is("string") ? `${name} matches ${value}` : "";
  if (word === "const") return `${name} = ${JSON.stringify(value)}`;
  if (word !== "enum") return "";
  const all = value.map((/** @type {any} */ it) => JSON.stringify(it));
  return `${name} is one of ${all.join(", ")}`;
}
