/* Calls of the API that change something: busy while one is under way, and why it failed. */
import { useState } from "../vendor/hooks.js";
import { Problem, call } from "../wire/api.js";
import { say } from "./shared.js";

/**
 * @typedef {object} Act
 * @property {(method: string, path: string, body?: any, more?: any) => Promise<any>} act
 *   The answer, null for an empty one; undefined if it failed: `problem` says why.
 * @property {boolean} busy
 * @property {Problem | null} problem
 */

/** @returns {Act} */
export function useAct() {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  /** @type {Act["act"]} */
  const act = async (method, path, body, more) => {
    setBusy(true);
    setProblem(null);
    try {
      return await call(method, path, body, more);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return { act, busy, problem };
}

/** The same where no form can show why it failed: it is said at the bottom of the page. */
export function useQuickAct() {
  const [busy, setBusy] = useState(false);
  /** @param {string} method @param {string} path @param {any} [body] @returns {Promise<any>} */
  const act = async (method, path, body) => {
    setBusy(true);
    try {
      return await call(method, path, body);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(error.message);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return { act, busy };
}
