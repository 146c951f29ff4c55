/* Where authentication is on and nobody has signed in: asks for a key, or leads to a provider. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { visible } from "../model/words.js";
import { b, button, code, div, form, h1, input, label, p } from "../parts/elements.js";
import { logo } from "../parts/icons.js";
import { explain } from "../parts/shared.js";
import { failure } from "../state/arrival.js";
import { auth, hasEnded, identify, signIn } from "../wire/api.js";
import { stop } from "../wire/live.js";
import { begin, isPossible } from "../wire/oidc.js";

/** `Back` may show this again as it was, after somebody has signed in. */
function shownAgain(/** @type {PageTransitionEvent} */ event) {
  if (event.persisted) location.reload();
}

export function SignIn() {
  useEffect(() => {
    stop();
    addEventListener("pageshow", shownAgain);
    return () => removeEventListener("pageshow", shownAgain);
  }, []);
  const { modes, oidc } = auth.value;
  const withToken = !oidc || modes.includes("keys") || !isPossible();
  return div(
    { class: "alone", role: "main" },
    div(
      { class: "sign-in" },
      logo(),
      h1(null, "Sign in"),
      hasEnded.value
        ? p({ role: "status" }, "Your sign-in has ended. After the next one you are here again.")
        : null,
      failure.value ? p({ class: "t-fail", role: "alert" }, visible(failure.value)) : null,
      oidc ? h(Provider, { oidc }) : null,
      withToken ? h(WithToken, { isSecond: Boolean(oidc) && isPossible() }) : null,
    ),
  );
}

/** The name of a provider, for people. @param {string} issuer */
const hostOf = (issuer) => new URL(issuer).host;

/** @param {{oidc: any}} props */
function Provider({ oidc }) {
  const [problem, setProblem] = useState("");
  const host = hostOf(oidc.issuer);
  if (!isPossible()) {
    return p(
      { class: "quiet" },
      "Signing in at ",
      b(null, host),
      " needs https: over plain http this browser lacks what protects it. Use a key.",
    );
  }
  if (!oidc.authorization_endpoint || !oidc.token_endpoint) {
    return [
      p(
        { class: "t-wait", role: "status" },
        `${host} does not answer, so nobody can sign in there.`,
      ),
      button({ class: "btn", type: "button", onClick: identify }, "Try again"),
    ];
  }
  const leave = () => {
    failure.value = "";
    begin(oidc).catch((error) => setProblem(String(error)));
  };
  return [
    button({ class: "btn primary", type: "button", onClick: leave }, `Sign in with ${host}`),
    problem ? p({ class: "t-fail", role: "alert" }, problem) : null,
  ];
}

/** @param {{isSecond: boolean}} props */
function WithToken({ isSecond }) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setWrong("");
    failure.value = "";
    try {
      await signIn(text);
    } catch (error) {
      setWrong(explain(error));
      setBusy(false);
    }
  };
  return form(
    { onSubmit: submit },
    div(
      { class: "field" },
      label({ for: "key" }, "API key or access token"),
      input({
        id: "key",
        type: "password",
        value: text,
        autocomplete: "off",
        spellcheck: false,
        required: true,
        "aria-describedby": "about-key",
        onInput: (/** @type {any} */ event) => setText(event.target.value),
      }),
    ),
    wrong ? p({ class: "t-fail", role: "alert" }, wrong) : null,
    p(
      { id: "about-key", class: "quiet" },
      "It stays in this tab until it is closed, and never stands in an address. ",
      "An operator makes one with ",
      code(null, "relayline key create"),
      ".",
    ),
    button(
      { class: `btn ${isSecond ? "" : "primary"}`, disabled: busy || !text.trim() },
      "Sign in",
    ),
  );
}
