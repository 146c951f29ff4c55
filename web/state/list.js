/* The list of runs that is shown: its pages, its counts, what is new. */
import { signal } from "../vendor/signals.js";
import { noListing, queryOf, released, withFrame, withPage } from "../model/listing.js";
import { explain, now, say, takeBeside } from "../parts/shared.js";
import { Problem, call } from "../wire/api.js";
import { follow } from "../wire/live.js";

/** The runs; `null` until the first page is there. */
export const listing = signal(/** @type {import("../model/listing.js").Listing | null} */ (null));
/** By status, without the filter's own status; null until the server has told. */
export const counts = signal(/** @type {any} */ (null));
/** Why the page could not be read. */
export const problem = signal(/** @type {Problem | null} */ (null));
/** Where the next page begins; null: there is none. */
export const cursor = signal(/** @type {string | null} */ (null));
/** New runs are held back while this is true: rows stay under the pointer. */
export const hold = { on: false };

let query = "";
let generation = 0;

/** Show the runs that match. @param {Record<string, string>} filter */
export function showRuns(filter) {
  const mine = ++generation;
  query = queryOf(filter, now.value);
  hold.on = false;
  listing.value = counts.value = problem.value = cursor.value = null;
  void firstPage(mine);
}

/** @param {number} mine */
async function firstPage(mine) {
  try {
    const page = await call("GET", `/v1/runs?${query}`);
    if (mine !== generation) return;
    listing.value = withPage(noListing(), page.runs);
    cursor.value = page.cursor;
  } catch (error) {
    if (mine !== generation) return;
    if (!(error instanceof Problem)) throw error;
    problem.value = error;
    if (error.status >= 400 && error.status < 500) return;
  }
  follow({ query: () => `inbox=true&list=${encodeURIComponent(query)}`, take });
}

/** The list is not shown any more. */
export function leaveRuns() {
  generation += 1;
}

/** Read the next page. */
export async function more() {
  const mine = generation;
  if (!cursor.value || !listing.value) return;
  const at = encodeURIComponent(cursor.value);
  try {
    const page = await call("GET", `/v1/runs?${query}&cursor=${at}`);
    if (mine !== generation || !listing.value) return;
    listing.value = withPage(listing.value, page.runs);
    cursor.value = page.cursor;
  } catch (error) {
    say(explain(error));
  }
}

/** Show the runs that were held back. */
export function release() {
  if (listing.value) listing.value = released(listing.value);
}

/** @param {string} event @param {any} data @param {boolean} first */
function take(event, data, first) {
  problem.value = null;
  if (event === "runs") {
    listing.value = withFrame(listing.value ?? noListing(), data, first, hold.on);
  } else if (event === "counts") counts.value = data;
  else takeBeside(event, data, first);
}
