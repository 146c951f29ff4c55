/* Signing in at an OpenID provider, by redirects of this window (RFC 6749, 7636, 9207). */
import { Problem, signIn } from "./api.js";
import { PATH, takeAnswer } from "./returned.js";

const BEGUN = "relayline.signing-in";
const MAX_SAID = 300;

/** Why signing in has failed, for people. */
class SignInFailed extends Error {}

/** @param {Uint8Array} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** False on plain http beyond this machine: browsers have no SHA-256 there. */
export const isPossible = () => Boolean(globalThis.crypto?.subtle);

/**
 * Leave for the provider; it leads back to `PATH`, and from there one gets to where one is now.
 * @param {any} oidc Of `GET /v1/auth`.
 */
export async function begin(oidc) {
  const [state, verifier] = [random(), random()];
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const from = location.pathname === PATH ? "/runs" : location.pathname + location.search;
  sessionStorage.setItem(BEGUN, JSON.stringify({ state, verifier, from, issuer: oidc.issuer }));
  const url = new URL(oidc.authorization_endpoint);
  const asked = {
    response_type: "code",
    client_id: oidc.client_id,
    redirect_uri: location.origin + PATH,
    scope: oidc.scope,
    state,
    code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  location.assign(url.href);
}

/** What this tab has begun; it can be finished once. */
function takeBegun() {
  try {
    const text = sessionStorage.getItem(BEGUN);
    sessionStorage.removeItem(BEGUN);
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** What the provider says, short enough to be shown. @param {any} value */
const said = (value) => String(value ?? "").slice(0, MAX_SAID);

/**
 * Sign in with what the provider has sent back.
 * @param {any} oidc Of `GET /v1/auth`.
 * @returns {Promise<{from: string, why: string}>}
 *   Where one was, and why nobody is signed in; empty: somebody is, or nothing was sent back.
 */
export async function finish(oidc) {
  const [answer, begun] = [takeAnswer(), takeBegun()];
  const from = begun?.from ?? "/runs";
  if (!answer || ![...answer].length) return { from, why: "" };
  try {
    const code = checked(answer, begun, oidc);
    await signIn(await tokenFor(oidc, code, begun.verifier));
    return { from, why: "" };
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return { from, why: NOT_OURS };
    if (!(error instanceof Problem || error instanceof SignInFailed)) throw error;
    return { from, why: error.message };
  }
}

const NOT_OURS =
  "The provider's access token is not for this server: it must be a JWT with the audience of " +
  "this API. The API's log says what is wrong with it.";

/** The code of the answer to what this tab has begun. @param {URLSearchParams} answer */
function checked(answer, /** @type {any} */ begun, /** @type {any} */ oidc) {
  if (!begun) {
    throw new SignInFailed("This tab has not begun to sign in, or has done it before. Try again.");
  }
  if (answer.get("state") !== begun.state) {
    throw new SignInFailed(
      "The answer belongs to another attempt to sign in: its state is wrong. Try again.",
    );
  }
  const issuer = answer.get("iss") ?? begun.issuer;
  if (oidc?.issuer !== begun.issuer || issuer !== begun.issuer) {
    throw new SignInFailed("The answer comes from another provider. Try again.");
  }
  if (answer.has("error")) {
    const words = ["error", "error_description"].map((name) => said(answer.get(name)));
    throw new SignInFailed(`The provider refused: ${words.filter(Boolean).join(", ")}`);
  }
  return answer.get("code") ?? "";
}

/** @param {any} oidc @param {string} code @param {string} verifier @returns {Promise<string>} */
async function tokenFor(oidc, code, verifier) {
  const asked = {
    grant_type: "authorization_code",
    code,
    redirect_uri: location.origin + PATH,
    client_id: oidc.client_id,
    code_verifier: verifier,
  };
  let answer;
  try {
    answer = await fetch(oidc.token_endpoint, {
      method: "POST",
      body: new URLSearchParams(asked),
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    throw new SignInFailed(
      "The provider's token endpoint can't be reached. Does it allow this page's origin (CORS)?",
    );
  }
  const given = await answer.json().catch(() => ({}));
  if (!answer.ok || given.error) {
    const why = said(given.error_description ?? given.error ?? `status ${answer.status}`);
    throw new SignInFailed(`The provider gave no token: ${why}`);
  }
  if (typeof given.access_token !== "string") {
    throw new SignInFailed("The provider's answer has no access token.");
  }
  return given.access_token;
}
