/* Calls of the public API, and who is signed in. */
import { signal } from "../vendor/signals.js";

const KEY = "relayline.key";
const NAME = "relayline.name";
/** How long an outcome is waited for; a later one stands in the events. */
const OUTCOME_S = 2;
/** `Date` of an answer has whole seconds: a smaller difference of clocks is none. */
const SKEW_MS = 2000;

/** An answer that says no, or the server that could not be reached. */
export class Problem extends Error {
  /**
   * @param {number} status 0: no answer at all.
   * @param {any} body The problem document.
   * @param {number} retryMs When the server asks to come back, else 0.
   */
  constructor(status, body, retryMs = 0) {
    super(body.detail ?? body.title ?? `the server answered ${status}`);
    this.status = status;
    this.kind = String(body.type ?? "").replace("urn:relayline:problem:", "");
    /** @type {string | null} */
    this.field = body.field ?? null;
    this.body = body;
    this.retryMs = retryMs;
  }
}

/** @param {Storage} storage @param {string} name */
function read(storage, name) {
  try {
    return storage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** @param {Storage} storage @param {string} name @param {string} value */
function write(storage, name, value) {
  try {
    if (value) storage.setItem(name, value);
    else storage.removeItem(name);
  } catch {
    // without storage it holds for this page only
  }
}

/** The key or token of this tab; empty without one. It is in no URL and outlives no tab. */
export const key = signal(read(sessionStorage, KEY));
/** What `GET /v1/auth` says; null until it has answered. */
export const auth = signal(/** @type {any} */ (null));
/** The name that commands carry while authentication is off. */
export const name = signal(read(localStorage, NAME));

/** @param {string} text */
export function rename(text) {
  name.value = text.trim().slice(0, 64);
  write(localStorage, NAME, name.value);
}

/** Ask the server who this is; a bad key is forgotten. */
export async function identify() {
  try {
    auth.value = await call("GET", "/v1/auth");
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    auth.value = await call("GET", "/v1/auth");
  }
}

/** True once what one had signed in with was refused: it has expired or was revoked. */
export const hasEnded = signal(false);

/** Sign in with a key or token; a Problem if the server does not know it. @param {string} text */
export async function signIn(text) {
  const before = key.value;
  key.value = text.trim();
  try {
    auth.value = await call("GET", "/v1/auth");
    write(sessionStorage, KEY, key.value);
    hasEnded.value = false;
  } catch (error) {
    key.value = before;
    hasEnded.value = false;
    throw error;
  }
}

export function signOut() {
  key.value = "";
  write(sessionStorage, KEY, "");
  hasEnded.value = false;
  if (auth.value) auth.value = { ...auth.value, principal: null };
}

/** The server does not take the credentials any more. */
function end() {
  const had = Boolean(key.value);
  signOut();
  hasEnded.value = had;
}

/** True if who is signed in has the scope. @param {string} scope */
export const may = (scope) => Boolean(auth.value?.principal?.scopes.includes(scope));

/** @returns {Record<string, string>} */
export const credentials = () => (key.value ? { Authorization: `Bearer ${key.value}` } : {});

/** How `curl` says who asks, with a key that stays in the shell's environment. */
export const curlKey = () =>
  auth.value?.modes.length ? '-H "Authorization: Bearer $RELAYLINE_API_KEY" ' : "";

/** A Problem for an answer that is not 2xx. @param {Response} answer */
export async function refusal(answer) {
  const body = await answer.json().catch(() => ({ title: answer.statusText }));
  const after = Number(answer.headers.get("Retry-After") ?? 0) * 1000;
  if (answer.status === 401) end();
  return new Problem(answer.status, body, after);
}

/** What the server's clock is ahead of this computer's, as ms. */
export const skew = signal(0);

/** @param {Response} answer */
function compareClocks(answer) {
  const ahead = Date.parse(answer.headers.get("Date") ?? "") - Date.now();
  if (Math.abs(ahead - skew.value) > SKEW_MS) skew.value = Math.abs(ahead) > SKEW_MS ? ahead : 0;
}

/** A Problem for a request without an answer. */
export const unreachable = () =>
  new Problem(0, { title: "The server can't be reached.", type: "unreachable" });

/**
 * The JSON that the API answers.
 * @param {string} method
 * @param {string} path
 * @param {any} [body]
 * @param {{headers?: Record<string, string>, signal?: AbortSignal}} [more]
 */
export async function call(method, path, body, more = {}) {
  const headers = { ...credentials(), ...more.headers };
  if (body !== undefined) Object.assign(headers, { "Content-Type": "application/json" });
  const sent = body === undefined ? undefined : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: sent, signal: more.signal });
  } catch (error) {
    if (more.signal?.aborted) throw error;
    throw unreachable();
  }
  compareClocks(answer);
  if (!answer.ok) throw await refusal(answer);
  return answer.status === 204 ? null : answer.json();
}

/** A fresh id; `randomUUID` is not there without https. */
export const freshId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

/**
 * Send a command and wait for its outcome; a Problem if it was refused.
 * @param {string} runId
 * @param {string} path Such as `pause`.
 * @param {any} body With `command_id`, so that it can be sent again.
 */
export async function command(runId, path, body) {
  const by = auth.value?.modes.length === 0 && name.value ? { by: name.value } : {};
  const receipt = await call("POST", `/v1/runs/${runId}/${path}`, { ...by, ...body });
  // what is decided for a run below is told of there
  const at = receipt.run_id ?? runId;
  const outcome = await call(
    "GET",
    `/v1/runs/${at}/commands/${encodeURIComponent(body.command_id)}?wait=${OUTCOME_S}`,
  );
  if (outcome.state === "refused") {
    throw new Problem(409, { title: outcome.reason, type: "refused" });
  }
  return outcome;
}
