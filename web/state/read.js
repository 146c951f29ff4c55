/* What the API answers to a question, read again every few seconds while the window is shown. */
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { Problem, call } from "../wire/api.js";

const PAGE = 50;

/**
 * @template T
 * @typedef {object} Found
 * @property {T | null} value Null until the server has answered.
 * @property {Problem | null} problem Why the newest read failed; an earlier value stays.
 * @property {() => Promise<void>} again Reads now.
 */

/**
 * What `read` gives.
 * @template T
 * @param {string} key Names what is read: with another key the value before is forgotten.
 * @param {() => Promise<T>} read
 * @param {number} everyMs
 * @returns {Found<T>}
 */
export function useRead(key, read, everyMs) {
  /** @type {{key: string, value: T | null, problem: Problem | null}} */
  const none = { key, value: null, problem: null };
  const [state, setState] = useState(none);
  const newest = useRef(0);
  const again = async () => {
    const mine = ++newest.current;
    try {
      const value = await read();
      if (mine === newest.current) setState({ key, value, problem: null });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (mine !== newest.current) return;
      setState((before) => ({ ...(before.key === key ? before : none), problem: error }));
    }
  };
  useEffect(() => {
    void again();
    const timer = setInterval(() => {
      if (!document.hidden) void again();
    }, everyMs);
    return () => {
      clearInterval(timer);
      newest.current += 1;
    };
  }, [key]);
  const { value, problem } = state.key === key ? state : none;
  return { value, problem, again };
}

/** What a path answers. @param {string} path @param {number} everyMs */
export const useAnswer = (path, everyMs) => useRead(path, () => call("GET", path), everyMs);

/**
 * A list that the API gives in pages; those that are shown are read together.
 * @param {string} path With the filter, if there is one.
 * @param {string} field Of the answer, with the items.
 * @param {number} everyMs
 */
export function usePages(path, field, everyMs) {
  const shown = useRef({ path, pages: 1 });
  if (shown.current.path !== path) shown.current = { path, pages: 1 };
  const read = async () => {
    const items = [];
    let cursor = "";
    for (let page = 0; page < shown.current.pages; page += 1) {
      const at = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
      const separator = path.includes("?") ? "&" : "?";
      const answer = await call("GET", `${path}${separator}limit=${PAGE}${at}`);
      items.push(...answer[field]);
      cursor = answer.cursor ?? "";
      if (!cursor) break;
    }
    return { items, isAll: !cursor };
  };
  const found = useRead(path, read, everyMs);
  const more = () => {
    shown.current.pages += 1;
    return found.again();
  };
  return { ...found, more };
}
