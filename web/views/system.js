/* The server for those who operate it: parts, what it lacks, workers, limits, version. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { ago, clock, duration, number } from "../model/words.js";
import {
  a,
  b,
  button,
  code,
  cx,
  dd,
  div,
  dl,
  dt,
  em,
  h1,
  h2,
  h3,
  header,
  i,
  p,
  section,
  span,
  table,
  tbody,
  td,
  th,
  thead,
  time,
  tr,
} from "../parts/elements.js";
import { icon, logo } from "../parts/icons.js";
import { explain, followBeside, now, system } from "../parts/shared.js";
import { call, may } from "../wire/api.js";

const EVERY_MS = 10_000;
/** A worker asks for work once a minute at least: one that is silent for longer has gone. */
const SILENT_MS = 90_000;

/** What `GET /v1/system` says, read again every ten seconds while the page is seen. */
function useSystem() {
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState("");
  const read = () =>
    call("GET", "/v1/system").then(
      (answer) => {
        setFound({ ...answer, at: Date.now() });
        setProblem("");
      },
      (error) => setProblem(explain(error)),
    );
  useEffect(() => {
    followBeside();
    void read();
    const timer = setInterval(() => !document.hidden && read(), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return { found, problem, read };
}

export function System() {
  const { found, problem, read } = useSystem();
  return [
    header(
      { class: "top" },
      h1(null, "System"),
      span({ class: "grow" }),
      found ? span({ class: "quiet sm" }, readAt(now.value - found.at)) : null,
      button({ class: "btn quiet", onClick: read }, icon("turn"), "Read again"),
    ),
    problem
      ? div(
          { class: "bar-note wait", role: "alert" },
          icon("warn"),
          span(null, found ? "Out of date: " : "The system can't be read: ", problem),
        )
      : null,
    found ? h(Whole, { found }) : problem ? h(Nothing, null) : h(Loading, null),
  ];
}

/** How old what is shown is. @param {number} ms */
const readAt = (ms) => `read ${ago(ms).replace("now", "just now")}`;

const Loading = () =>
  div({ class: "loading", "aria-label": "Loading" }, i(null), i(null), i(null));

/** Who may not read the system still learns from the stream whether it is ready. */
const Nothing = () =>
  div(
    { class: "empty" },
    logo(),
    h3(null, system.value?.status === "ok" ? "The server is ready" : "Nothing more is known"),
    may("system:read") ? null : p(null, "To see more, a key needs the scope system:read."),
  );

/** @param {{found: any}} props */
const Whole = ({ found }) =>
  div(
    { class: "system", tabIndex: 0, role: "region", "aria-label": "System" },
    h(Parts, { found }),
    h(Workers, { workers: found.workers }),
    h(Facts, { found }),
  );

/** @param {{found: any}} props */
function Parts({ found }) {
  const lacking = Object.entries(found.lacking).map(([work, why]) => [
    `workers for ${work}`,
    String(why),
  ]);
  return section(
    { class: "card", "aria-label": "Parts" },
    h2(null, "Parts", em(null, found.status === "ok" ? "ready" : "not ready")),
    table(
      { class: "sys" },
      tbody(
        null,
        [...Object.entries(found.parts), ...lacking].map(([part, how]) =>
          tr(
            { key: part },
            th({ scope: "row" }, i({ class: cx("dot", how === "ok" ? "done" : "wait") }), part),
            td({ class: how === "ok" ? "quiet" : "t-wait" }, how),
          ),
        ),
      ),
    ),
    lacking.length ? p({ class: "quiet sm" }, "Runs are still accepted; new ones wait.") : null,
  );
}

/** @param {{workers: any[] | null}} props */
function Workers({ workers }) {
  return section(
    { class: "card", "aria-label": "Workers" },
    h2(null, "Workers", workers ? em(null, workers.length) : null),
    workers === null
      ? p({ class: "quiet" }, "Not known while Temporal does not answer.")
      : workers.length
        ? div({ class: "scroll-x", tabIndex: 0 }, list(workers))
        : p({ class: "t-wait" }, "No worker has asked for work within five minutes."),
  );
}

/** @param {any[]} workers */
const list = (workers) =>
  table(
    { class: "sys wide" },
    thead(
      null,
      tr(
        null,
        ["Worker", "Build", "Takes", "Seen"].map((word) => th({ scope: "col" }, word)),
      ),
    ),
    tbody(
      null,
      workers.map((worker) => {
        const silent = now.value - Date.parse(worker.seen_at) > SILENT_MS;
        return tr(
          { key: worker.identity },
          th(
            { scope: "row" },
            i({ class: cx("dot", !silent && "done") }),
            code(null, worker.identity),
          ),
          td(null, worker.build ? code(null, worker.build) : em(null, "not told")),
          td(null, worker.work.join(", ")),
          td(
            { class: silent ? "t-wait" : "quiet" },
            time(
              { datetime: worker.seen_at, title: clock(worker.seen_at) },
              ago(now.value - Date.parse(worker.seen_at)),
            ),
            silent ? ", so it has stopped" : "",
          ),
        );
      }),
    ),
  );

/** @param {{found: any}} props */
function Facts({ found }) {
  const { limits } = found;
  const kib = (/** @type {number} */ bytes) => `${number(bytes / 1024)} KiB`;
  /** @type {[string, any][]} */
  const rows = [
    ["Version", [found.version, " ", code({ class: "quiet" }, found.build)]],
    ["Journal", found.journal === "postgres" ? "Postgres" : "SQLite"],
    [
      "Events are kept",
      found.retention_days === null
        ? "forever"
        : `for ${duration(found.retention_days * 86_400_000)} after a run's end`,
    ],
    ["Namespace", h(Namespace, { found })],
    ["Sign-in", found.auth.length ? found.auth.join(", ") : "off: everybody may do everything"],
    ["Providers", found.providers.join(", ")],
    [
      "Streams",
      [
        b(null, number(found.open_streams)),
        ` open · ${number(limits.streams_per_client)} for each client address · a comment every `,
        duration(limits.heartbeat_s * 1000),
      ],
    ],
    ["Connections", `${number(limits.connections_per_client)} for each client address`],
    [
      "Requests",
      `input ${kib(limits.input_bytes)} · body ${kib(limits.body_bytes)} · ` +
        `${number(limits.metadata_keys)} metadata keys`,
    ],
  ];
  return section(
    { class: "card", "aria-label": "Server" },
    h2(null, "Server"),
    dl(
      { class: "kvs" },
      rows.flatMap(([word, value]) => [dt({ key: word }, word), dd(null, value)]),
    ),
    p(
      { class: "quiet sm" },
      "Streams and providers are those of the API process that answered; workers have keys of ",
      "their own.",
    ),
  );
}

/** @param {{found: any}} props */
const Namespace = ({ found }) =>
  found.temporal_ui
    ? a(
        { href: found.temporal_ui, target: "_blank", rel: "noopener noreferrer" },
        found.namespace,
        " ",
        icon("ext"),
      )
    : span(null, found.namespace);
