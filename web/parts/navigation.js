/* The page's paths: real ones, so that links can be shared and `Back` works. */
import { signal } from "../vendor/signals.js";
import { a } from "./elements.js";

const here = () => ({ path: location.pathname, query: new URLSearchParams(location.search) });

/** Where the page is. */
export const place = signal(here());

addEventListener("popstate", () => {
  place.value = here();
});

/** Go there. @param {string} url @param {boolean} [instead] Without a step in the history. */
export function go(url, instead = false) {
  if (instead) history.replaceState(null, "", url);
  else if (url !== location.pathname + location.search) history.pushState(null, "", url);
  place.value = here();
}

/** A link within the page. @param {any} props With `href`. @param {...any} children */
export const link = (props, ...children) =>
  a(
    {
      ...props,
      onClick: (/** @type {MouseEvent} */ event) => {
        const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
        if (event.defaultPrevented || event.button !== 0 || !plain) return;
        event.preventDefault();
        go(props.href);
      },
    },
    ...children,
  );
