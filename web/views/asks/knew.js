/* What the model knew when it asked: the newest results of its tools. */
import { h } from "../../vendor/preact.js";
import { useEffect, useState } from "../../vendor/hooks.js";
import { TYPES, knownTo } from "../../model/asks/knew.js";
import { div, em, h2, p } from "../../parts/elements.js";
import { explain } from "../../parts/shared.js";
import { call, may } from "../../wire/api.js";
import { Call } from "../run/call.js";

const SHOWN = 4;
/** So many events have the results that are shown, attempts and all. */
const READ = 60;
const NEWEST = 10 ** 15;
/** Who moves on sooner reads nothing. */
const STAYS_MS = 150;

/**
 * The calls before an item; null until they are known.
 * @param {any} item
 * @returns {{tools: import("../../model/steps.js").Tool[] | null, why: string}}
 */
function useKnown(item) {
  const [found, setFound] = useState({ tools: /** @type {any} */ (null), why: "" });
  useEffect(() => {
    let left = false;
    const read = async () => {
      try {
        const types = TYPES.map((type) => `types=${type}`).join("&");
        const path = `/v1/runs/${item.run_id}/events?${types}&limit=${READ}&before=${NEWEST}`;
        const { events } = await call("GET", path);
        if (!left) setFound({ tools: knownTo(events, item), why: "" });
      } catch (error) {
        if (!left) setFound({ tools: [], why: explain(error) });
      }
    };
    const timer = setTimeout(read, STAYS_MS);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [item.item_id]);
  return found;
}

/** @param {{item: any}} props What waits for a person; draw another one with another key. */
export function Knew({ item }) {
  const { tools, why } = useKnown(item);
  if (!may("runs:read") || (!tools?.length && !why)) return null;
  const shown = tools?.slice(-SHOWN) ?? [];
  return [
    h2(
      { class: "ctx", key: "word" },
      "What it knew",
      shown.length < (tools?.length ?? 0) ? em(null, `the newest ${SHOWN} results`) : null,
    ),
    why
      ? p({ class: "quiet", key: "why" }, `The results can't be read: ${why}`)
      : div(
          { class: "calls", key: "calls" },
          shown.map((tool) => h(Call, { key: tool.callId, tool, waits: false, child: null })),
        ),
  ];
}
