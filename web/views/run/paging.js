/* Which rows of a long timeline are shown, and the way to the others. */
import { number } from "../../model/words.js";
import { button, div, span } from "../../parts/elements.js";

/** @param {{from: number, until: number, all: number, go: (by: number) => void}} props */
export const Paging = ({ from, until, all, go }) =>
  div(
    { class: "hint rowacts" },
    span(null, `Rows ${number(from)} to ${number(until)} of ${number(all)}`),
    button({ class: "btn quiet", disabled: from === 1, onClick: () => go(1) }, "Earlier"),
    button({ class: "btn quiet", disabled: until === all, onClick: () => go(-1) }, "Later"),
  );
