/* What the pages for whoever looks after the server share: head, states, and two dialogs. */
import { h } from "../../vendor/preact.js";
import { ago, clock, duration } from "../../model/words.js";
import { useAct } from "../../parts/acting.js";
import { Dialog, close } from "../../parts/dialog.js";
import {
  b,
  button,
  code,
  div,
  footer,
  h1,
  h2,
  header,
  i,
  input,
  label,
  p,
  span,
  time,
  ul,
} from "../../parts/elements.js";
import { icon, logo } from "../../parts/icons.js";
import { link } from "../../parts/navigation.js";
import { copy, dialog, now, say } from "../../parts/shared.js";
import { may } from "../../wire/api.js";

/** Open a dialog of a view. @param {any} component @param {any} props */
export const open = (component, props) => (dialog.value = { draw: () => h(component, props) });

/**
 * The head of a page. @param {string} title
 * @param {...any} children Beside it, at the right.
 */
export const top = (title, ...children) =>
  header({ class: "top" }, h1(null, title), span({ class: "grow" }), ...children);

/** The same of something in a list, with the way back. @param {string} list @param {string} href */
export const topOf = (list, href, /** @type {any} */ title, /** @type {any[]} */ ...children) =>
  header(
    { class: "top" },
    div(
      { class: "grow under" },
      div({ class: "crumb" }, link({ href }, list), i(null, "›")),
      h1(null, title),
    ),
    ...children,
  );

/** A pill of a state. @param {string} tone @param {any} word */
export const pill = (tone, word) => span({ class: `pill ${tone}` }, word);

/** A moment, as how long ago or ahead it is. @param {string} at */
export const when = (at) => {
  const since = now.value - Date.parse(at);
  const words = since < 0 ? `in ${duration(-since)}` : ago(since);
  return time({ datetime: at, title: clock(at) }, words);
};

/** A moment in UTC. @param {string} at */
export const exactly = (at) => time({ datetime: at }, clock(at));

/** Says that changing something is not possible for whoever is signed in. @param {string} scope */
export const Needs = (/** @type {{scope: string, what: string}} */ { scope, what }) =>
  may(scope) ? null : p({ class: "lacks" }, icon("lock"), what, " needs ", code(null, scope), ".");

/**
 * What stands in place of a list: it can't be read, is not there yet, or is empty.
 * @param {import("../../state/read.js").Found<any>} found
 * @param {string} what Such as `webhooks`.
 * @param {any} nothing What an empty list says; null if it is not empty.
 */
export function standIn(found, what, nothing) {
  if (!found.value && found.problem) {
    return div(
      { class: "empty", role: "alert" },
      logo(),
      h2(null, `The ${what} can't be read`),
      p(null, found.problem.message),
      button({ class: "btn quiet", onClick: found.again }, "Try again"),
    );
  }
  if (!found.value) return div({ class: "loading", "aria-label": "Loading" }, i(null), i(null));
  return nothing ? div({ class: "empty" }, logo(), nothing) : null;
}

/**
 * Above a list whose newest read failed.
 * @param {import("../../state/read.js").Found<any>} found
 */
export const stale = (found) =>
  found.value && found.problem
    ? p({ class: "lacks", role: "status" }, icon("warn"), "Not current: ", found.problem.message)
    : null;

/**
 * A list of the server's, or what stands in its place.
 * @param {import("../../state/read.js").Found<any> & {more: () => void}} found
 * @param {string} what Such as `webhooks`.
 * @param {any} nothing What an empty list says.
 * @param {(item: any) => any} row
 * @param {any} [note] Above it.
 */
export const listed = (found, what, nothing, row, note = null) => {
  const items = found.value?.items ?? [];
  return div(
    { class: "adm" },
    note,
    stale(found),
    standIn(found, what, items.length ? null : nothing),
    ul({ class: "ads" }, items.map(row)),
    found.value ? ending(found.value, found.more) : null,
  );
};

/** Below a list. @param {{isAll: boolean}} value @param {() => void} more */
export const ending = (value, more) =>
  value.isAll
    ? null
    : p({ class: "end" }, button({ class: "btn quiet", onClick: more }, "Show older ones"));

/**
 * A secret that no later answer has.
 * @param {{title: string, secret: string, about: any}} props
 */
export const Secret = ({ title, secret, about }) =>
  h(
    Dialog,
    { title, stays: true },
    div(
      { class: "form" },
      p(null, about),
      div(
        { class: "field once" },
        label({ for: "secret" }, "Shown this once: nobody can read it again"),
        input({
          id: "secret",
          value: secret,
          readonly: true,
          autofocus: true,
          spellcheck: false,
          onFocus: (/** @type {any} */ event) => event.target.select(),
        }),
      ),
    ),
    footer(
      null,
      button({ class: "btn", onClick: () => copy(secret, title) }, icon("copy"), "Copy"),
      span({ class: "grow" }),
      button({ class: "btn primary", onClick: close }, "I have stored it"),
    ),
  );

/**
 * Asks before something that can't be undone.
 * @param {object} props
 * @param {string} props.title A question.
 * @param {any} props.about What happens.
 * @param {string} props.word On the button.
 * @param {string} props.said Afterwards.
 * @param {[string, string, any?]} props.call Method, path, body.
 * @param {(answer: any) => void} props.done
 */
export function Confirm({ title, about, word, said, call, done }) {
  const { act, busy, problem } = useAct();
  const confirm = async () => {
    const answer = await act(...call);
    if (answer === undefined) return;
    close();
    say(said);
    done(answer);
  };
  return h(
    Dialog,
    { title },
    div(
      { class: "form" },
      p(null, about),
      problem ? p({ class: "t-fail", role: "alert" }, problem.message) : null,
    ),
    footer(
      null,
      span({ class: "grow" }),
      button({ class: "btn quiet", onClick: close, autofocus: true }, "Keep it"),
      button({ class: "btn primary bad", disabled: busy, onClick: confirm }, word),
    ),
  );
}

/** A field of a form. @param {string} id @param {any} word @param {any} control */
export const field = (id, word, control) =>
  div({ class: "field" }, label({ for: id }, word), control);

/** A fact with its name. @param {string} word @param {any} value */
export const fact = (word, value) => span(null, `${word} `, b(null, value));

/** Why a form was refused. @param {import("../../wire/api.js").Problem | null} problem */
export const refusal = (problem) =>
  problem ? p({ class: "t-fail", role: "alert" }, problem.message) : null;
