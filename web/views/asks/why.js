/* By which rule a call asks, and what it may do. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { inWords } from "../../model/rule.js";
import { visible } from "../../model/words.js";
import { code, details, p, span, summary } from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { lazy } from "../../parts/lazy.js";

const Rule = lazy(async () => (await import("../../parts/output.js")).Output);

/** What the tool does to the world, as far as a person must know it. @type {any} */
const EFFECTS = {
  unsafe: [icon("bolt"), "Changes the world: runs at most once"],
  safe: "Safe to repeat: after a crash it may run again",
};

/** By which rule it asks, and what the call may do. @param {{ask: any, agent: string}} props */
export function Why({ ask, agent }) {
  const { why, effects } = ask;
  const [open, setOpen] = useState(false);
  const toggled = (/** @type {any} */ event) => setOpen(event.currentTarget.open);
  const ruled = why && why !== "always";
  const words = ruled ? inWords(why, ask.arguments) : "";
  return [
    p(
      { class: "why", key: "why" },
      ruled
        ? span(
            null,
            `${agent} asks because `,
            words ? code(null, visible(words)) : "the arguments match its rule",
            ".",
          )
        : span(null, `${agent} asks before ${why ? "every call of" : "it calls"} this tool.`),
      effects ? span({ class: effects === "unsafe" ? "t-wait" : "" }, EFFECTS[effects]) : null,
    ),
    ruled && !words
      ? details(
          { class: "rule", key: "rule", onToggle: toggled },
          summary(null, icon("chev"), "The rule"),
          open ? h(Rule, { text: JSON.stringify(why) }) : null,
        )
      : null,
  ];
}
