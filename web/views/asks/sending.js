/* What sends an answer, or says why one may not send any. */
import { button, code, footer, kbd, small } from "../../parts/elements.js";
import { SENDS } from "../../parts/shared.js";
import { may } from "../../wire/api.js";

const SCOPE = "runs:steer";

/** True for who may answer. */
export const mayAnswer = () => may(SCOPE);

/** Does it at the keys that send a text. @param {() => void} submit */
export const atSend = (submit) => (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
  event.preventDefault();
  submit();
};

/**
 * @param {object} props
 * @param {boolean} props.busy
 * @param {boolean} [props.empty] There is nothing to send.
 * @param {() => void} props.submit
 * @param {(() => void) | null} props.decline Null where the question can't be declined.
 */
export const Sending = ({ busy, empty = false, submit, decline }) =>
  mayAnswer()
    ? footer(
        null,
        button(
          {
            class: "btn primary",
            type: "button",
            "data-decide": "answer",
            disabled: busy || empty,
            onClick: submit,
          },
          "Answer",
          kbd(null, SENDS),
        ),
        decline
          ? button(
              { class: "btn danger", type: "button", disabled: busy, onClick: decline },
              "Decline",
            )
          : null,
      )
    : footer(null, small(null, "You may not answer: your key lacks ", code(null, SCOPE), "."));
