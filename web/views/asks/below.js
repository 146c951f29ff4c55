/* What the runs below the one that is shown wait for: it can be decided here, too. */
import { h } from "../../vendor/preact.js";
import { article, code, div, h3 } from "../../parts/elements.js";
import { link } from "../../parts/navigation.js";
import { inbox } from "../../parts/shared.js";
import { shown } from "../../state/run.js";
import { gut } from "../run/step.js";
import { Ask, askOf } from "./ask.js";

/** @param {{id: string}} props Of the run that is shown. */
export function Below({ id }) {
  const { run } = shown.value;
  return run.waits.below.map((wait) =>
    h(One, { key: wait.id ?? `${wait.run_id}.${wait.kind}`, wait, id, run }),
  );
}

/** The inbox tells the whole of it, under the run itself; until then it is one line. */
function One(/** @type {any} */ { wait, id, run }) {
  const { run_id: below, id: name } = wait;
  const item = name && inbox.value.items.get(`${below}/${name.slice(below.length + 1)}`);
  const at = Date.parse(item?.since ?? "") || run.lastAt;
  return article(
    { class: "it" },
    gut({ from: run.firstAt ?? at, item: { at } }, "wait"),
    div(
      { class: "cell" },
      h3(null, "Run below ", link({ href: `/runs/${below}` }, code(null, below))),
      item
        ? h(Ask, { ask: { ...askOf(item), id: name }, runId: id, agent: item.agent })
        : div({ class: "quiet" }, wait.what),
    ),
  );
}
