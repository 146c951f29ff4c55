/* Schedules: runs that are submitted again and again. */
import { h } from "../../vendor/preact.js";
import { useQuickAct } from "../../parts/acting.js";
import { b, button, code, div, em, h2, li, p, section, span, ul } from "../../parts/elements.js";
import { glyph, icon } from "../../parts/icons.js";
import { go, link } from "../../parts/navigation.js";
import { say } from "../../parts/shared.js";
import { json } from "../../parts/output.js";
import { duration, shortId } from "../../model/words.js";
import { useAnswer, usePages } from "../../state/read.js";
import { may } from "../../wire/api.js";
import {
  Confirm,
  Needs,
  exactly,
  listed,
  open,
  pill,
  stale,
  standIn,
  top,
  topOf,
  when,
} from "./frame.js";
import { NewSchedule, OVERLAPS } from "./new_schedule.js";

const EVERY_MS = 5000;

/** Its times, in words. @param {any} schedule */
const timesOf = ({ cron, every_s: every, timezone }) =>
  cron ? [code(null, cron), ` ${timezone}`] : `every ${duration(every * 1000)}`;

/** @param {any} schedule */
const stateOf = ({ paused }) => (paused ? pill("pause", "Paused") : pill("run", "On"));

export function Schedules() {
  const found = usePages("/v1/schedules", "schedules", EVERY_MS);
  return [
    top(
      "Schedules",
      may("runs:write")
        ? button(
            { class: "btn", onClick: () => open(NewSchedule, {}) },
            icon("plus"),
            "New schedule",
          )
        : null,
    ),
    listed(
      found,
      "schedules",
      h(None, null),
      (schedule) => h(Row, { key: schedule.schedule_id, schedule }),
      h(Needs, { scope: "runs:write", what: "To create or change one" }),
    ),
  ];
}

const None = () => [
  h2({ key: "a" }, "No schedules yet"),
  p({ key: "b" }, "A schedule submits a run at the times of a calendar or an interval."),
];

/** @param {string} id */
const hrefOf = (id) => `/schedules/${encodeURIComponent(id)}`;

/** @param {{schedule: any}} props */
const Row = ({ schedule }) =>
  li(
    { class: "ad" },
    div(
      { class: "ad-what" },
      link({ href: hrefOf(schedule.schedule_id) }, b(null, schedule.schedule_id)),
      div(
        { class: "ad-facts" },
        stateOf(schedule),
        span(null, "agent ", b(null, schedule.agent)),
        span(null, timesOf(schedule)),
        schedule.next.length && !schedule.paused
          ? span(null, "next ", when(schedule.next[0]))
          : null,
      ),
    ),
  );

/** @param {{id: string}} props */
export function Schedule({ id }) {
  const at = `/v1/schedules/${encodeURIComponent(id)}`;
  const found = useAnswer(at, EVERY_MS);
  const schedule = found.value;
  return [
    topOf("Schedules", "/schedules", id, schedule ? h(Acts, { schedule, at, found }) : null),
    div(
      { class: "adm" },
      h(Needs, { scope: "runs:write", what: "To change it" }),
      stale(found),
      standIn(found, "schedule", null),
      schedule ? h(Body, { schedule }) : null,
    ),
  ];
}

/** @param {{schedule: any, at: string, found: any}} props */
function Acts({ schedule, at, found }) {
  const { act, busy } = useQuickAct();
  if (!may("runs:write")) return null;
  const turn = async () => {
    const { paused } = schedule;
    if ((await act("PATCH", at, { paused: !paused })) === undefined) return;
    say(paused ? "Resumed" : "Paused: times are skipped until you resume it");
    await found.again();
  };
  const trigger = async () => {
    if ((await act("POST", `${at}/trigger`)) === undefined) return;
    say("Triggered: it submits a run now, if its overlap policy allows it");
    await found.again();
  };
  const remove = () =>
    open(Confirm, {
      title: "Delete this schedule?",
      about: "It submits no more runs; those that it has submitted stay.",
      word: "Delete the schedule",
      said: "Deleted",
      call: ["DELETE", at],
      done: () => go("/schedules"),
    });
  return div(
    { class: "rowacts" },
    button(
      { class: "btn", disabled: busy, onClick: turn },
      icon(schedule.paused ? "play" : "pause"),
      schedule.paused ? "Resume" : "Pause",
    ),
    button({ class: "btn", disabled: busy, onClick: trigger }, icon("bolt"), "Trigger"),
    button({ class: "btn danger", disabled: busy, onClick: remove }, "Delete"),
  );
}

/** @param {{schedule: any}} props */
const Body = ({ schedule }) => [
  div(
    { class: "ad-facts wide", key: "facts" },
    stateOf(schedule),
    span(null, "agent ", b(null, schedule.agent)),
    span(null, timesOf(schedule)),
    span(null, "while a run is not over: ", b(null, OVERLAPS[schedule.overlap])),
  ),
  section(
    { key: "next", "aria-label": "Next times" },
    h2(null, "Next times", schedule.paused ? em(null, "if it were not paused") : null),
    ul(
      { class: "tries" },
      schedule.next.map((/** @type {string} */ at) => li({ key: at }, exactly(at), " ", when(at))),
    ),
  ),
  section(
    { key: "runs", "aria-label": "Newest runs" },
    h2(null, "Newest runs"),
    schedule.runs.length
      ? ul({ class: "ads" }, schedule.runs.map(submitted))
      : p({ class: "quiet" }, "It has submitted none yet."),
  ),
  section({ key: "run", "aria-label": "The run" }, h2(null, "What it submits"), json(schedule.run)),
];

/** A run that it has submitted, or that was refused. @param {any} run */
const submitted = (run) =>
  li(
    { class: "ad", key: `${run.run_id} ${run.scheduled_at}` },
    div(
      { class: "ad-facts" },
      run.status ? glyph(run.status) : null,
      run.problem
        ? span({ class: "t-fail" }, "refused: ", run.problem.detail ?? run.problem.title)
        : link({ href: `/runs/${run.run_id}` }, code(null, shortId(run.run_id))),
      run.status || run.problem ? null : span({ class: "quiet" }, "about to be submitted"),
      exactly(run.scheduled_at),
    ),
  );
