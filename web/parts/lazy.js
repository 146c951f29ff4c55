/* Parts of the page whose modules are loaded when they are first shown. */
import { h } from "../vendor/preact.js";
import { useLayoutEffect, useRef } from "../vendor/hooks.js";
import { signal } from "../vendor/signals.js";
import { button, div, h3, i, p } from "./elements.js";
import { logo } from "./icons.js";

/** Bars in the place of a view that is not there yet. */
export const loading = () =>
  div({ class: "loading", "aria-label": "Loading" }, i(null), i(null), i(null));

/** Counts the parts that stand where nothing was: who has scrolled to an end does so again. */
export const arrived = signal(0);

/**
 * A component whose module is loaded when it is first drawn. Where that fails, it says so.
 * @param {() => Promise<any>} load Gives the component.
 * @param {() => any} [meanwhile] What is shown until then.
 */
export function lazy(load, meanwhile = loading) {
  const found = signal(/** @type {any} */ (null));
  /** @type {Promise<void> | undefined} */
  let asked;
  const ask = async () => {
    try {
      found.value = await load();
    } catch (error) {
      // what fetch and import() throw when the server gives no such file
      if (!(error instanceof TypeError)) throw error;
      found.value = Unloaded;
    }
  };
  return (/** @type {any} */ props) => {
    asked ??= ask();
    const there = found.value !== null;
    const late = useRef(!there);
    useLayoutEffect(() => {
      if (there && late.current) arrived.value += 1;
    }, [there]);
    return found.value ? h(found.value, props) : meanwhile();
  };
}

/** The server is away, or has been upgraded since this page was loaded. */
const Unloaded = () =>
  div(
    { class: "empty unloaded", role: "alert" },
    logo(),
    h3(null, "This part of the page can't be loaded"),
    p(null, "The server is away, or it has been upgraded: load the page again."),
    button({ class: "btn quiet", onClick: () => location.reload() }, "Reload"),
  );
