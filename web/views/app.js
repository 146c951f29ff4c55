/* The whole page: who is signed in, the rail, and the view of its path. */
import { Fragment, h } from "../vendor/preact.js";
import { useEffect, useRef } from "../vendor/hooks.js";
import { a, b, button, div, main, p } from "../parts/elements.js";
import { logo } from "../parts/icons.js";
import { go, place } from "../parts/navigation.js";
import { heading, toast } from "../parts/shared.js";
import { shortId } from "../model/words.js";
import { signal } from "../vendor/signals.js";
import { Problem, auth, identify } from "../wire/api.js";
import { Agents } from "./agents.js";
import { Dialogs } from "./dialogs.js";
import { Inbox } from "./inbox.js";
import { LostBar, Rail } from "./rail.js";
import { RunPage } from "./run/page.js";
import { Runs } from "./runs.js";
import { SignIn } from "./sign_in.js";
import { System } from "./system.js";

const problem = signal(/** @type {Problem | null} */ (null));

async function ask() {
  problem.value = null;
  try {
    await identify();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem.value = error;
  }
}

/** The view of a path, and its heading. @param {string} path @returns {[string, any, string]} */
function viewOf(path) {
  const [, page, id] = path.split("/");
  if (page === "runs" && id) return ["runs sub", h(RunPage, { id, key: id }), shortId(id)];
  if (page === "inbox") return ["inbox", h(Inbox, null), "Inbox"];
  if (page === "agents") return ["agents", h(Agents, null), "Agents"];
  if (page === "system") return ["system", h(System, null), "System"];
  return ["runs", h(Runs, null), "Runs"];
}

export function App() {
  useEffect(() => {
    if (location.pathname === "/") go(`/runs${location.search}`, true);
    void ask();
  }, []);
  if (!auth.value) return problem.value ? h(Unreachable, null) : null;
  if (!auth.value.principal) return h(SignIn, null);
  return h(Frame, null);
}

function Frame() {
  const { path } = place.value;
  const [kind, view, word] = viewOf(path);
  const before = useRef(path);
  useEffect(() => {
    if (before.current !== path) document.getElementById("main")?.focus({ preventScroll: true });
    before.current = path;
    heading.value = word;
  }, [path]);
  return h(
    Fragment,
    null,
    a({ class: "skip", href: "#main" }, "Skip to content"),
    h(Rail, null),
    main({ id: "main", tabIndex: -1, class: `p-${kind}` }, h(LostBar, null), view),
    h(Dialogs, null),
    div(
      { id: "toast", role: "status", "aria-live": "polite", class: toast.value ? "on" : "" },
      toast.value,
    ),
  );
}

const Unreachable = () =>
  div(
    { class: "empty alone", role: "alert" },
    logo(),
    b(null, "The server can not be reached"),
    p(null, problem.value?.message),
    button({ class: "btn", onClick: ask }, "Try again"),
  );
