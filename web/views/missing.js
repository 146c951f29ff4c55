/* In the place of a run whose events can not be read. */
import { div, h3, p } from "../parts/elements.js";
import { WORD, glyph, logo } from "../parts/icons.js";
import { link } from "../parts/navigation.js";
import { view, viewProblem } from "../state/run.js";

/** @param {{problem: import("../wire/api.js").Problem}} props */
export function Missing({ problem }) {
  const gone = problem.status === 410;
  const known = view.value;
  return div(
    { class: "empty tall", role: "alert" },
    logo(),
    h3(
      null,
      gone ? "No events of this run any more" : problem.status === 404 ? "No such run" : "Refused",
    ),
    p(null, problem.message),
    gone && known
      ? p(null, glyph(known.status), ` ${WORD[known.status]}. `, known.output ?? "")
      : null,
    gone && viewProblem.value ? p(null, viewProblem.value.message) : null,
    link({ class: "btn quiet", href: "/runs" }, "Back to runs"),
  );
}
