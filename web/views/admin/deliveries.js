/* What a receiver of webhooks was told, and will be: each delivery with its tries. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { useQuickAct } from "../../parts/acting.js";
import {
  b,
  button,
  code,
  cx,
  details,
  div,
  h2,
  li,
  p,
  section,
  span,
  summary,
  ul,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { link } from "../../parts/navigation.js";
import { say } from "../../parts/shared.js";
import { duration, shortId, visible } from "../../model/words.js";
import { usePages } from "../../state/read.js";
import { ending, exactly, pill, stale, standIn, when } from "./frame.js";

const EVERY_MS = 3000;
/** @type {[string, string, string][]} */
const STATES = [
  ["pending", "Pending", "run"],
  ["delivered", "Delivered", "done"],
  ["failed", "Failed", "fail"],
  ["disabled", "Held back", "wait"],
];

/** @param {{id: string}} props */
export function Deliveries({ id }) {
  const [state, setState] = useState("");
  const path = `/v1/webhooks/${encodeURIComponent(id)}/deliveries`;
  const found = usePages(state ? `${path}?state=${state}` : path, "deliveries", EVERY_MS);
  const some = found.value?.items ?? [];
  const chip = (/** @type {string} */ value, /** @type {string} */ word) =>
    button(
      {
        key: value,
        class: cx("chip", state === value && "on"),
        "aria-pressed": state === value,
        onClick: () => setState(value),
      },
      word,
    );
  const none = state ? "No delivery is in this state." : "No deliveries yet.";
  return section(
    { "aria-label": "Deliveries" },
    h2(null, "Deliveries"),
    div(
      { class: "chips", role: "toolbar", "aria-label": "State of deliveries" },
      chip("", "All"),
      STATES.map(([value, word]) => chip(value, word)),
    ),
    stale(found),
    standIn(found, "deliveries", some.length ? null : p(null, none)),
    ul(
      { class: "ads" },
      some.map((delivery) =>
        h(Delivery, { key: delivery.delivery_id, delivery, again: found.again }),
      ),
    ),
    found.value ? ending(found.value, found.more) : null,
  );
}

/** @param {{delivery: any, again: () => Promise<void>}} props */
function Delivery({ delivery, again }) {
  const { act, busy } = useQuickAct();
  const [, word, tone] = STATES.find(([value]) => value === delivery.state) ?? ["", "?", "off"];
  const last = delivery.tries.at(-1);
  const redeliver = async () => {
    const path = `/v1/deliveries/${encodeURIComponent(delivery.delivery_id)}/redeliver`;
    if ((await act("POST", path)) === undefined) return;
    say("Trying it now");
    await again();
  };
  return li(
    { class: "ad" },
    details(
      { class: "ad-what" },
      summary(
        null,
        icon("chev"),
        pill(tone, word),
        b(null, delivery.type),
        span({ class: "quiet" }, last ? answerOf(last) : "not tried yet"),
        span({ class: "quiet" }, delivery.next_at ? ["next ", when(delivery.next_at)] : null),
      ),
      div(
        { class: "ad-facts" },
        link({ href: `/runs/${delivery.run_id}` }, code(null, shortId(delivery.run_id))),
        span(null, "webhook-id ", code(null, `${delivery.run_id}.${delivery.seq}`)),
      ),
      ul(
        { class: "tries" },
        delivery.tries.map((/** @type {any} */ one, /** @type {number} */ index) =>
          li({ key: index }, exactly(one.at), " ", answerOf(one), ` in ${duration(one.took_ms)}`),
        ),
      ),
    ),
    button({ class: "btn quiet", disabled: busy, onClick: redeliver }, "Redeliver"),
  );
}

/** What a try came to. @param {any} one */
const answerOf = (one) =>
  [one.status ? `${one.status}` : "no answer", one.error ? visible(one.error) : ""]
    .filter(Boolean)
    .join(": ");
