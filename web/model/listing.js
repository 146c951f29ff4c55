/* The runs that a list shows: pages that were read, what the stream says, what each does. Pure. */
import { duration, visible } from "./words.js";

export const PAGE = 50;
const OPEN = new Set(["scheduled", "queued", "running", "waiting", "paused", "idle"]);

/** @param {any} run */
export const isOpen = (run) => OPEN.has(run.status);

/** Newest first, as the API lists them. @param {any} one @param {any} other */
const newestFirst = (one, other) =>
  one.created_at === other.created_at
    ? other.run_id.localeCompare(one.run_id)
    : other.created_at < one.created_at
      ? -1
      : 1;

/**
 * @typedef {object} Listing
 * @property {any[]} runs Newest first.
 * @property {Set<string>} top Ids of those that the live stream keeps current.
 * @property {any[]} held New runs that are not shown yet.
 */

/** @returns {Listing} */
export const noListing = () => ({ runs: [], top: new Set(), held: [] });

/** With one more page. @param {Listing} listing @param {any[]} page @returns {Listing} */
export function withPage(listing, page) {
  const known = new Set(listing.runs.map((run) => run.run_id));
  const more = page.filter((run) => !known.has(run.run_id));
  return { ...listing, runs: [...listing.runs, ...more].sort(newestFirst) };
}

/**
 * After a frame of the live stream.
 *
 * What left the top because newer runs came stays, for it is further down; what left it for any
 * other reason does not match any more.
 * @param {Listing} listing
 * @param {{upsert: any[], gone: string[]}} frame
 * @param {boolean} first The first frame of a connection tells the whole top.
 * @param {boolean} hold Keep runs that are new from being shown.
 * @returns {Listing}
 */
export function withFrame(listing, frame, first, hold) {
  const upsert = new Map(frame.upsert.map((run) => [run.run_id, run]));
  const top = new Set(first ? [] : listing.top);
  for (const id of frame.gone) top.delete(id);
  for (const id of upsert.keys()) top.add(id);
  const known = new Map([...listing.runs, ...listing.held].map((run) => [run.run_id, run]));
  const current = [...top].map((id) => upsert.get(id) ?? known.get(id)).filter(Boolean);
  const oldest = current.length >= PAGE ? current.sort(newestFirst).at(-1) : null;
  const stays = (/** @type {any} */ run) =>
    top.has(run.run_id) || (!listing.top.has(run.run_id) && !first) || isBelow(run, oldest);
  const shown = listing.runs.filter(stays).map((run) => upsert.get(run.run_id) ?? run);
  const ids = new Set(shown.map((run) => run.run_id));
  const fresh = current.filter((run) => !ids.has(run.run_id));
  const held = hold ? fresh : [];
  return { runs: hold ? shown : [...shown, ...fresh].sort(newestFirst), top, held };
}

/** @param {any} run @param {any} oldest */
const isBelow = (run, oldest) => oldest !== null && newestFirst(oldest, run) < 0;

/** With the held ones. @param {Listing} listing @returns {Listing} */
export const released = (listing) => ({
  ...listing,
  runs: [...listing.held, ...listing.runs].sort(newestFirst),
  held: [],
});

/** The runs by what a person can do: what waits for one comes first. @param {any[]} runs */
export function groups(runs) {
  const waiting = runs.filter((run) => run.status === "waiting");
  const open = runs.filter((run) => isOpen(run) && run.status !== "waiting");
  const ended = runs.filter((run) => !isOpen(run));
  /** @type {[string, any[]][]} */
  const found = [
    ["Needs you", waiting],
    ["At work", open],
    ["Ended", ended],
  ];
  return found.filter(([, some]) => some.length);
}

/** How far back a list looks, in hours. @type {Record<string, number>} */
export const SPANS = { "1h": 1, "24h": 24, "7d": 168 };
const KEPT = ["status", "agent", "batch", "since", "q"];

/** What the page's own query string says. @param {URLSearchParams} query */
export function filterOf(query) {
  /** @type {Record<string, string>} */
  const filter = {};
  for (const [name, value] of query) {
    if (value && (KEPT.includes(name) || name.startsWith("metadata."))) filter[name] = value;
  }
  return filter;
}

/**
 * The API's query for a filter. A span begins at a whole minute, so that windows share a list.
 * @param {Record<string, string>} filter
 * @param {number} now As ms.
 */
export function queryOf(filter, now) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    if (name === "since") {
      if (!SPANS[value]) continue;
      const from = Math.floor(now / 60_000) * 60_000 - SPANS[value] * 3_600_000;
      query.set("created_after", new Date(from).toISOString());
    } else query.set(name, value);
  }
  query.set("limit", String(PAGE));
  return query.toString();
}

/**
 * What a person has typed, as a filter: `key=value` is metadata, the rest are words.
 * @param {string} text
 */
export function typed(text) {
  /** @type {Record<string, string>} */
  const filter = {};
  const words = [];
  for (const word of text.trim().split(/\s+/)) {
    const found = /^([\w.-]{1,64})=(\S+)$/.exec(word);
    if (found) filter[`metadata.${found[1]}`] = found[2];
    else if (word) words.push(word);
  }
  if (words.length) filter.q = words.slice(0, 8).join(" ").slice(0, 200);
  return filter;
}

/** @type {Record<string, string>} */
const ASKS = { approval: "approve", limit: "limit", input: "asks", resume: "paused" };
const DOES = /** @type {Record<string, string>} */ ({
  model: "writing",
  tool: "tool",
  queue: "queued",
});
/** How a run has ended that says nothing of it. @type {Record<string, string>} */
const ENDS = { completed: "done", timed_out: "timed out" };

/**
 * What a run does, what it needs or what came of it.
 * @param {any} run
 * @param {number} now As ms.
 * @returns {[string, string, string]} A tone, a word, and what about it.
 */
export function doing(run, now) {
  const what = visible(run.now?.what ?? "");
  const [first, ...others] = run.waiting_for;
  if (run.attention) return ["wait", "stuck", run.attention];
  if (run.status === "paused") return ["pause", "paused", "until somebody resumes it"];
  if (first) {
    const more = others.length ? ` and ${others.length} more` : "";
    const asked = visible(first.what).replace(/^approve /, "");
    return ["wait", ASKS[first.kind] ?? first.kind, asked + more];
  }
  if (run.error) return ["fail", run.error.type, visible(run.error.message)];
  if (run.status === "scheduled") return ["quiet", "starts", `in ${until(run.start_at, now)}`];
  if (run.status === "idle") {
    const failed = run.now?.kind === "error";
    return [failed ? "fail" : "quiet", failed ? "failed" : "idle", what];
  }
  if (!isOpen(run)) return outcome(run, what);
  const [, from] = run.line?.at(-1) ?? [];
  const began = Date.parse(run.created_at) + from;
  const since = from === undefined ? "" : `for ${duration(now - began)}`;
  return ["run", DOES[run.now?.kind] ?? run.status, [since, what].filter(Boolean).join(" · ")];
}

/** @param {any} run @param {string} what @returns {[string, string, string]} */
function outcome(run, what) {
  if (run.status === "completed") return what ? ["", "", what] : ["quiet", "no text", ""];
  const step = run.step ? `in step ${run.step}` : "before its first step";
  const tone = run.status === "cancelled" ? "quiet" : "fail";
  return [tone, ENDS[run.status] ?? run.status, step];
}

/** @param {string | null} at @param {number} now */
const until = (at, now) => (at ? duration(Date.parse(at) - now) : "a while");
