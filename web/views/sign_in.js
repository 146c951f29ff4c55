/* Where authentication is on and nobody has signed in: asks for a key. */
import { useEffect, useState } from "../vendor/hooks.js";
import { button, code, div, form, h1, input, label, p } from "../parts/elements.js";
import { logo } from "../parts/icons.js";
import { explain } from "../parts/shared.js";
import { signIn } from "../wire/api.js";
import { stop } from "../wire/live.js";

export function SignIn() {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(stop, []);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setWrong("");
    try {
      await signIn(text);
    } catch (error) {
      setWrong(explain(error));
      setBusy(false);
    }
  };
  return div(
    { class: "alone" },
    form(
      { class: "sign-in", onSubmit: submit },
      logo(),
      h1(null, "Sign in"),
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
      button({ class: "btn primary", disabled: busy || !text.trim() }, "Sign in"),
    ),
  );
}
