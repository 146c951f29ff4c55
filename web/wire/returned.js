/* Takes what an OpenID provider sends back out of the address, before anything else is done. */

/** Where people come back to. */
export const PATH = "/signed-in";

/** @type {URLSearchParams | null} */
let answer = null;

if (location.pathname === PATH) {
  answer = new URLSearchParams(location.search);
  history.replaceState(null, "", PATH);
}

/** What it has sent back, once; null if the page was not opened by it. */
export function takeAnswer() {
  const taken = answer;
  answer = null;
  return taken;
}
