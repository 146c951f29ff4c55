/* Who this is, when the page is opened; also with what an OpenID provider has just sent back. */
import { signal } from "../vendor/signals.js";
import { go } from "../parts/navigation.js";
import { auth, identify } from "../wire/api.js";
import { PATH } from "../wire/returned.js";

/** Why the provider's answer has signed nobody in; empty if it has not failed. */
export const failure = signal("");

/** Ask the server who this is; a Problem if it does not answer. */
export async function arrive() {
  await identify();
  if (location.pathname !== PATH) return;
  const { finish } = await import("../wire/oidc.js");
  const { from, why } = await finish(auth.value.oidc);
  failure.value = why;
  go(from, true);
}
