/* Elements as functions, `div({class: "row"}, …)`: nothing is parsed as HTML. */
import { Component, h } from "../vendor/preact.js";

/** @param {string} name */
const tag =
  (name) =>
  /** @param {any} props @param {...any} children */
  (props, ...children) =>
    h(name, props, ...children);

export const a = tag("a");
export const article = tag("article");
export const b = tag("b");
export const button = tag("button");
export const code = tag("code");
export const dd = tag("dd");
export const del = tag("del");
export const details = tag("details");
export const div = tag("div");
export const dl = tag("dl");
export const dt = tag("dt");
export const em = tag("em");
export const footer = tag("footer");
export const form = tag("form");
export const h1 = tag("h1");
export const h2 = tag("h2");
export const h3 = tag("h3");
export const header = tag("header");
export const i = tag("i");
export const input = tag("input");
export const kbd = tag("kbd");
export const label = tag("label");
export const li = tag("li");
export const main = tag("main");
export const nav = tag("nav");
export const option = tag("option");
export const p = tag("p");
export const pre = tag("pre");
export const q = tag("q");
export const s = tag("s");
export const section = tag("section");
export const select = tag("select");
export const small = tag("small");
export const span = tag("span");
export const strong = tag("strong");
export const summary = tag("summary");
export const table = tag("table");
export const tbody = tag("tbody");
export const td = tag("td");
export const textarea = tag("textarea");
export const th = tag("th");
export const thead = tag("thead");
export const time = tag("time");
export const tr = tag("tr");
export const u = tag("u");
export const ul = tag("ul");

/**
 * A component that is drawn again only when one of its props is another.
 * @template P
 * @param {(props: P) => any} draw
 */
export function memo(draw) {
  return class Memo extends Component {
    /** @param {any} next */
    shouldComponentUpdate(next) {
      const now = /** @type {any} */ (this.props);
      for (const name in next) if (now[name] !== next[name]) return true;
      for (const name in now) if (!(name in next)) return true;
      return false;
    }
    /** @param {any} props */
    render(props) {
      return draw(props);
    }
  };
}

/**
 * Class names: those whose condition holds.
 * @param {...(string | false | null | undefined)} names
 */
export const cx = (...names) => names.filter(Boolean).join(" ");

/** Metadata as labels. @param {any} metadata @param {number} [most] */
export const tags = (metadata, most = 2) =>
  Object.entries(metadata ?? {})
    .slice(0, most)
    .map(([name, value]) => span({ class: "tag", key: name }, em(null, name), value));

/**
 * A choice of one in the shape of a chip.
 * @param {string} name
 * @param {string} value
 * @param {string[][]} options Each with its value and its words.
 * @param {(value: string) => void} chosen
 */
export const choice = (name, value, options, chosen) =>
  label(
    { class: cx("chip", "ghost", value && "on") },
    span({ class: "vh" }, name),
    select(
      { value, onChange: (/** @type {any} */ event) => chosen(event.target.value) },
      options.map(([key, word]) => option({ value: key, selected: key === value }, word)),
    ),
  );
