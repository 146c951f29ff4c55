/* API keys: who has which, and until when. */
import { h } from "../../vendor/preact.js";
import { useState } from "../../vendor/hooks.js";
import { useAct } from "../../parts/acting.js";
import { Dialog, close } from "../../parts/dialog.js";
import {
  b,
  button,
  code,
  div,
  em,
  footer,
  form,
  input,
  label,
  li,
  option,
  p,
  select,
  span,
} from "../../parts/elements.js";
import { icon } from "../../parts/icons.js";
import { now } from "../../parts/shared.js";
import { usePages } from "../../state/read.js";
import { auth, may } from "../../wire/api.js";
import {
  Confirm,
  Secret,
  field,
  listed,
  open,
  pill,
  refusal,
  top,
  when,
} from "./frame.js";

const EVERY_MS = 10_000;
const DAY_MS = 86_400_000;
/** @type {[string, string][]} */
const LIVES = [
  ["", "Never"],
  ["7", "In 7 days"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
];
/** @type {[string, string][]} */
const GRACES = [
  ["0", "At once"],
  ["3600", "In an hour"],
  ["86400", "In a day"],
  ["604800", "In 7 days"],
];

/** @param {any} key */
const isOver = (key) => Boolean(key.expires_at) && Date.parse(key.expires_at) <= now.value;

/** @param {any} key */
function stateOf(key) {
  if (key.revoked_at) return pill("off", "Revoked");
  return isOver(key) ? pill("off", "Expired") : pill("done", "Valid");
}

export function Keys() {
  const found = usePages("/v1/keys", "keys", EVERY_MS);
  return [
    top(
      "API keys",
      button(
        { class: "btn", onClick: () => open(NewKey, { again: found.again }) },
        icon("plus"),
        "New key",
      ),
    ),
    listed(found, "API keys", p(null, "No keys yet."), (key) =>
      h(Row, { key: key.key_id, of: key, again: found.again }),
    ),
  ];
}

/** @param {{of: any, again: () => Promise<void>}} props */
function Row({ of: key, again }) {
  const lacking = key.scopes.find((/** @type {string} */ scope) => !may(scope));
  const revoke = () =>
    open(Confirm, {
      title: `Revoke the key “${key.name}”?`,
      about: "It is refused within 10 seconds, and its open streams end. This can't be undone.",
      word: "Revoke the key",
      said: "Revoked",
      call: ["DELETE", `/v1/keys/${encodeURIComponent(key.key_id)}`],
      done: again,
    });
  return li(
    { class: "ad" },
    div(
      { class: "ad-what" },
      b(null, key.name),
      div(
        { class: "ad-facts" },
        stateOf(key),
        code(null, key.key_id),
        may("tenants:admin") ? span(null, "tenant ", b(null, key.tenant)) : null,
        span(null, "made ", when(key.created_at), ` by ${key.created_by}`),
        key.last_used_at ? span(null, "used ", when(key.last_used_at)) : span(null, "never used"),
        key.expires_at && !key.revoked_at
          ? span(null, isOver(key) ? "ended " : "ends ", when(key.expires_at))
          : null,
        key.revoked_at ? span(null, "revoked ", when(key.revoked_at)) : null,
      ),
      div(
        { class: "scopes" },
        key.scopes.map((/** @type {string} */ it) => code({ key: it }, it)),
      ),
    ),
    key.revoked_at
      ? null
      : div(
          { class: "rowacts" },
          lacking
            ? span(
                { class: "quiet", title: "You can rotate only keys whose scopes you have" },
                `has ${lacking}`,
              )
            : button(
                { class: "btn quiet", onClick: () => open(Rotate, { of: key, again }) },
                "Rotate",
              ),
          button({ class: "btn quiet danger", onClick: revoke }, "Revoke"),
        ),
  );
}

/** @param {string} id @param {string} value @param {string[][]} options @param {any} set */
const choice = (id, value, options, set) =>
  select(
    { id, value, onChange: (/** @type {any} */ event) => set(event.target.value) },
    options.map(([key, word]) => option({ value: key, key, selected: key === value }, word)),
  );

/** @param {any} made */
const shown = (made) =>
  open(Secret, {
    title: "API key",
    secret: made.key,
    about: ["The key ", b(null, made.name), ". Send it as Authorization: Bearer …"],
  });

/** @param {{of: any, again: () => Promise<void>}} props */
function Rotate({ of: key, again }) {
  const { act, busy, problem } = useAct();
  const [grace, setGrace] = useState("86400");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const path = `/v1/keys/${encodeURIComponent(key.key_id)}/rotate`;
    const made = await act("POST", path, { grace_s: Number(grace) });
    if (!made) return;
    shown(made);
    await again();
  };
  return h(
    Dialog,
    { title: `Replace the key “${key.name}”` },
    form(
      { onSubmit: submit },
      div(
        { class: "form" },
        p(null, "The new key may do the same. The old one ends after a while."),
        field("grace", "The old key ends", choice("grace", grace, GRACES, setGrace)),
        refusal(problem),
      ),
      footer(
        null,
        span({ class: "grow" }),
        button({ class: "btn quiet", type: "button", onClick: close }, "Cancel"),
        button({ class: "btn primary", disabled: busy }, "Make the new key"),
      ),
    ),
  );
}

/** @param {{again: () => Promise<void>}} props */
function NewKey({ again }) {
  const { act, busy, problem } = useAct();
  const [name, setName] = useState("");
  const [tenant, setTenant] = useState("");
  const [days, setDays] = useState("90");
  const [scopes, setScopes] = useState(/** @type {string[]} */ ([]));
  const toggle = (/** @type {string} */ scope) =>
    setScopes((some) =>
      some.includes(scope) ? some.filter((it) => it !== scope) : [...some, scope],
    );
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const until = new Date(Date.now() + Number(days) * DAY_MS).toISOString();
    const body = {
      name: name.trim(),
      scopes,
      ...(days && { expires_at: until }),
      ...(tenant.trim() && { tenant: tenant.trim() }),
    };
    const made = await act("POST", "/v1/keys", body);
    if (!made) return;
    shown(made);
    await again();
  };
  return h(
    Dialog,
    { title: "New API key" },
    form(
      { onSubmit: submit },
      div(
        { class: "form" },
        h(Names, { name, setName, tenant, setTenant, problem }),
        h(Scopes, { scopes, toggle }),
        field("key-life", "It ends", choice("key-life", days, LIVES, setDays)),
        refusal(problem),
      ),
      footer(
        null,
        span({ class: "grow" }),
        button({ class: "btn quiet", type: "button", onClick: close }, "Cancel"),
        button(
          { class: "btn primary", disabled: busy || !name.trim() || !scopes.length },
          "Make the key",
        ),
      ),
    ),
  );
}

/** Whose it is. @param {any} props */
const Names = ({ name, setName, tenant, setTenant, problem }) => {
  const bound = (
    /** @type {string} */ id,
    /** @type {string} */ value,
    /** @type {any} */ set,
  ) => ({
    id: `key-${id}`,
    value,
    spellcheck: false,
    autocomplete: "off",
    "aria-invalid": problem?.field === id ? "true" : undefined,
    onInput: (/** @type {any} */ event) => set(event.target.value),
  });
  return [
    field(
      "key-name",
      ["Name ", em(null, "who, or what, uses it")],
      input({ ...bound("name", name, setName), autofocus: true, required: true }),
    ),
    may("tenants:admin")
      ? field(
          "key-tenant",
          ["Tenant ", em(null, "your own if empty")],
          input(bound("tenant", tenant, setTenant)),
        )
      : null,
  ];
};

/**
 * Only what one may do oneself.
 * @param {{scopes: string[], toggle: (scope: string) => void}} props
 */
const Scopes = ({ scopes, toggle }) =>
  h(
    "fieldset",
    { class: "choices" },
    h("legend", null, "It may do ", em(null, "at most what you may")),
    auth.value.principal.scopes.map((/** @type {string} */ scope) =>
      label(
        { class: "check", key: scope },
        input({
          type: "checkbox",
          value: scope,
          checked: scopes.includes(scope),
          onChange: () => toggle(scope),
        }),
        scope,
      ),
    ),
  );
