/* Which windows of this browser keep a stream open: with HTTP/1.1 it has six connections a host. */

const SLOTS = ["relayline.live-1", "relayline.live-2", "relayline.live-3", "relayline.live-4"];

/**
 * Hold one of the slots while `use` runs. False if all are taken, so that it did not run.
 *
 * Two connections always stay free, for pages and commands. Without `navigator.locks`, which a page
 * has on https and on localhost only, nothing is counted.
 * @param {() => Promise<void>} use
 * @returns {Promise<boolean>}
 */
export async function withSlot(use) {
  if (!navigator.locks) {
    await use();
    return true;
  }
  for (const slot of SLOTS) {
    const held = await navigator.locks.request(slot, { ifAvailable: true }, async (lock) => {
      if (lock) await use();
      return lock !== null;
    });
    if (held) return true;
  }
  return false;
}
