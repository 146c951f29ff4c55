/* Sends commands, says what became of them, and keeps one from being sent twice. */
import { useRef, useState } from "../vendor/hooks.js";
import { Problem, command, freshId } from "../wire/api.js";
import { say } from "./shared.js";

const LATER = "Accepted: it takes effect before the next call";

/**
 * A command that a person may send again: with the same id until the server has answered.
 * @param {string} runId
 * @param {string} word What it did, for people, such as `Paused`.
 * @returns `next` tells the id that is sent next.
 */
export function useCommand(runId, word) {
  const id = useRef(freshId());
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const send = async (
    /** @type {string} */ path,
    /** @type {any} */ body,
    said = word,
    later = LATER,
  ) => {
    setBusy(true);
    setProblem(null);
    try {
      const sent = { ...body, command_id: id.current };
      const { state } = await command(runId, path, sent);
      id.current = freshId();
      say(state === "accepted" ? later : said);
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status) id.current = freshId();
      setProblem(error);
      // somebody else was first: what showed the problem may be gone by now
      if (error.status === 409) say(error.message);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { send, busy, problem, next: () => id.current };
}
