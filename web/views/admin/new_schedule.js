/* The form that creates a schedule. */
import { h } from "../../vendor/preact.js";
import { useEffect, useState } from "../../vendor/hooks.js";
import { useAct } from "../../parts/acting.js";
import { Dialog, close } from "../../parts/dialog.js";
import {
  button,
  div,
  em,
  footer,
  form,
  input,
  option,
  select,
  span,
  textarea,
} from "../../parts/elements.js";
import { go } from "../../parts/navigation.js";
import { explain, say } from "../../parts/shared.js";
import { call } from "../../wire/api.js";
import { field, refusal } from "./frame.js";

/** What happens at a time when the run before is not over. @type {Record<string, string>} */
export const OVERLAPS = {
  skip: "skip that time",
  queue: "wait until it is",
  all: "run beside it",
};
/** Units of an interval, in seconds. @type {Record<string, number>} */
const UNITS = { minutes: 60, hours: 3600, days: 86_400 };
const BLANK = {
  id: "",
  agent: "",
  input: "",
  times: "cron",
  cron: "0 8 * * 1-5",
  amount: "30",
  unit: "minutes",
  timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
  overlap: "skip",
};

/** The body of `POST /v1/schedules`. @param {typeof BLANK} given */
const bodyOf = (given) => ({
  ...(given.id.trim() && { schedule_id: given.id.trim() }),
  ...(given.times === "cron"
    ? { cron: given.cron.trim(), timezone: given.timezone.trim() || "UTC" }
    : { every_s: Math.round(Number(given.amount) * UNITS[given.unit]) }),
  overlap: given.overlap,
  run: { agent: given.agent, input: given.input },
});

/** The names of the agents of this server. @param {(name: string) => void} first Is told one. */
function useAgentNames(first) {
  const [names, setNames] = useState(/** @type {string[]} */ ([]));
  useEffect(() => {
    call("GET", "/v1/agents").then(
      ({ agents }) => {
        setNames(agents.map((/** @type {any} */ agent) => agent.name));
        first(agents[0]?.name ?? "");
      },
      (error) => say(explain(error)),
    );
  }, []);
  return names;
}

export function NewSchedule() {
  const [given, setGiven] = useState(BLANK);
  const { act, busy, problem } = useAct();
  const set = (/** @type {Partial<typeof BLANK>} */ some) => setGiven((it) => ({ ...it, ...some }));
  const agents = useAgentNames((agent) => set({ agent }));
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const made = await act("POST", "/v1/schedules", bodyOf(given));
    if (!made) return;
    close();
    go(`/schedules/${encodeURIComponent(made.schedule_id)}`);
  };
  const ready = given.agent && given.input && (given.times === "cron" ? given.cron : given.amount);
  return h(
    Dialog,
    { title: "New schedule" },
    form(
      { onSubmit: submit },
      h(Form, { given, set, agents, problem }),
      footer(
        null,
        span({ class: "grow" }),
        button({ class: "btn quiet", type: "button", onClick: close }, "Cancel"),
        button({ class: "btn primary", disabled: busy || !ready }, "Create"),
      ),
    ),
  );
}

/**
 * @param {object} props
 * @param {typeof BLANK} props.given
 * @param {(some: Partial<typeof BLANK>) => void} props.set
 * @param {string[]} props.agents
 * @param {import("../../wire/api.js").Problem | null} props.problem
 */
function Form({ given, set, agents, problem }) {
  const bound = (/** @type {keyof typeof BLANK} */ name, more = {}) => ({
    id: `schedule-${name}`,
    value: given[name],
    ...more,
    "aria-invalid": problem?.field === name ? "true" : undefined,
    onInput: (/** @type {any} */ event) => set({ [name]: event.target.value }),
  });
  const chosen = (/** @type {keyof typeof BLANK} */ name, /** @type {string[][]} */ options) =>
    select(
      bound(name),
      options.map(([value, word]) =>
        option({ value, key: value, selected: value === given[name] }, word),
      ),
    );
  return div(
    { class: "form" },
    div(
      { class: "two" },
      field(
        "schedule-agent",
        "Agent",
        chosen(
          "agent",
          agents.map((name) => [name, name]),
        ),
      ),
      field(
        "schedule-id",
        ["Id ", em(null, "made if empty")],
        input(bound("id", { spellcheck: false, placeholder: "daily-report" })),
      ),
    ),
    field("schedule-input", "Input", textarea(bound("input", { rows: 3, autofocus: true }))),
    h(Times, { given, bound, chosen }),
    field(
      "schedule-overlap",
      "While the previous run is not over",
      chosen("overlap", Object.entries(OVERLAPS)),
    ),
    refusal(problem),
  );
}

/** @param {{given: typeof BLANK, bound: any, chosen: any}} props */
const Times = ({ given, bound, chosen }) => [
  field(
    "schedule-times",
    "Times",
    chosen("times", [
      ["cron", "of a calendar"],
      ["every", "at an interval"],
    ]),
  ),
  given.times === "cron"
    ? div(
        { class: "two", key: "cron" },
        field(
          "schedule-cron",
          ["Cron ", em(null, "minute hour day month weekday")],
          input(bound("cron", { spellcheck: false })),
        ),
        field("schedule-timezone", "Time zone", input(bound("timezone", { spellcheck: false }))),
      )
    : div(
        { class: "two", key: "every" },
        field(
          "schedule-amount",
          "Every",
          input(bound("amount", { type: "number", min: "1", step: "any" })),
        ),
        field(
          "schedule-unit",
          "Unit",
          chosen(
            "unit",
            Object.keys(UNITS).map((it) => [it, it]),
          ),
        ),
      ),
];
