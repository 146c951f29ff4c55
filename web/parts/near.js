/* Which rows of a long list are near what is seen: only those are drawn in full. */
import { useLayoutEffect, useRef, useState } from "../vendor/hooks.js";

/** So far above and below what is seen. */
const MARGIN_PX = 400;

/** @typedef {(near: boolean, height: number) => void} Tell */
/** @type {WeakMap<Element, {seen: IntersectionObserver, tell: Map<Element, Tell>}>} */
const watchers = new WeakMap();

/** One for all rows of a list. @param {Element} list */
function watcherOf(list) {
  const known = watchers.get(list);
  if (known) return known;
  /** @type {Map<Element, Tell>} */
  const tell = new Map();
  const options = { root: list, rootMargin: `${MARGIN_PX}px 0px` };
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      tell.get(target)?.(isIntersecting || isSelected(target), boundingClientRect.height);
    }
  }, options);
  watchers.set(list, { seen, tell });
  return { seen, tell };
}

/** True where a selection of text begins or ends: it would be lost. @param {Element} row */
function isSelected(row) {
  const chosen = document.getSelection();
  if (!chosen || chosen.isCollapsed) return false;
  return row.contains(chosen.anchorNode) || row.contains(chosen.focusNode);
}

/**
 * Whether an element is near what is seen of the list that it stands in; true outside of such one.
 *
 * Give the element the `ref`; it must stay the same one. `height` is what it had when it was drawn
 * in full the last time, 0 before.
 * @param {string} list The selector of the element that scrolls.
 * @param {boolean} first What is assumed until the browser has looked.
 */
export function useNear(list, first) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [{ near, height }, setPlace] = useState({ near: first, height: 0 });
  useLayoutEffect(() => {
    const row = ref.current;
    const scroller = row?.closest(list);
    if (!row) return undefined;
    if (!scroller) {
      setPlace((before) => ({ ...before, near: true }));
      return undefined;
    }
    const { seen, tell } = watcherOf(scroller);
    tell.set(row, (isNear, tall) =>
      setPlace((before) => {
        if (before.near === isNear) return before;
        return { near: isNear, height: isNear ? before.height : tall };
      }),
    );
    seen.observe(row);
    return () => {
      seen.unobserve(row);
      tell.delete(row);
    };
  }, []);
  return { ref, near, height };
}
