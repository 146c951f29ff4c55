/* Who this is, with what an OpenID provider has just sent back. */
import { signal } from "../vendor/signals.js";
import { go } from "../parts/navigation.js";
import { auth } from "../wire/api.js";
import { finish } from "../wire/oidc.js";

/** Why the provider's answer has signed nobody in; empty if it has not failed. */
export const failure = signal("");

/** Sign in with it, and go where one was; a Problem if the server does not answer. */
export async function arrive() {
  const { from, why } = await finish(auth.value.oidc);
  failure.value = why;
  go(from, true);
}
