/* The whole page: who is signed in, the rail, and the view of its path. */
import { Fragment, h } from "../vendor/preact.js";
import { useEffect, useRef } from "../vendor/hooks.js";
import { a, b, button, div, main, p } from "../parts/elements.js";
import { logo } from "../parts/icons.js";
import { lazy } from "../parts/lazy.js";
import { go, place, PLACES } from "../parts/navigation.js";
import { dialog, heading, toast } from "../parts/shared.js";
import { shortId } from "../model/words.js";
import { signal } from "../vendor/signals.js";
import { Problem, auth, identify } from "../wire/api.js";
import { PATH } from "../wire/returned.js";
import { LostBar, Rail } from "./rail.js";

const SignIn = lazy(async () => (await import("./sign_in.js")).SignIn);
const Dialogs = lazy(
  async () => (await import("./dialogs.js")).Dialogs,
  () => null,
);
const Admin = lazy(async () => (await import("./admin/pages.js")).Admin);
const RunPage = lazy(async () => (await import("./run/page.js")).RunPage);
/**
 * The pages, by the first part of their path: the component, and the heading.
 * @type {Record<string, [any, string]>}
 */
const PAGES = {
  runs: [lazy(async () => (await import("./runs/page.js")).Runs), "Runs"],
  inbox: [lazy(async () => (await import("./inbox.js")).Inbox), "Inbox"],
  agents: [lazy(async () => (await import("./agents.js")).Agents), "Agents"],
  system: [lazy(async () => (await import("./system.js")).System), "System"],
};

const problem = signal(/** @type {Problem | null} */ (null));

async function ask() {
  problem.value = null;
  try {
    await identify();
    if (location.pathname === PATH) await (await import("../state/arrival.js")).arrive();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem.value = error;
  }
}

/** The view of a path, and its heading. @param {string} path @returns {[string, any, string]} */
function viewOf(path) {
  const [, page, id] = path.split("/");
  if (page === "runs" && id) return ["runs sub", h(RunPage, { id, key: id }), shortId(id)];
  const other = PLACES.find(({ path: of }) => of === `/${page}`);
  if (other) return ["admin", h(Admin, { other, id, key: path }), id ? shortId(id) : other.word];
  const kind = page in PAGES ? page : "runs";
  const [view, word] = PAGES[kind];
  return [kind, h(view, null), word];
}

export function App() {
  useEffect(() => {
    if (location.pathname === "/") go(`/runs${location.search}`, true);
    void ask();
  }, []);
  if (!auth.value) return problem.value ? main({ class: "whole" }, h(Unreachable, null)) : null;
  if (place.value.path === PATH) return null; // it is left once the provider's answer was taken
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
    dialog.value ? h(Dialogs, null) : null,
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
    b(null, "The server can't be reached"),
    p(null, problem.value?.message),
    button({ class: "btn", onClick: ask }, "Try again"),
  );
