"""Where a fork begins in the run that it is a fork of. Pure."""

from __future__ import annotations

from relayline.api.errors import InvalidField
from relayline.api.runs.forks.request import EditBody, ForkRequest
from relayline.contracts.runs import Past, ResultEdit
from relayline.projections.forks.outline import Outline


def past_of(request: ForkRequest, run_id: str, outline: Outline, *, is_open: bool) -> Past:
    """The past that the request asks for, without what is changed of the agent.

    Args:
        request: The body.
        run_id: The run of which it is a fork.
        outline: Its facts, as marks.
        is_open: True if both are conversations.

    Raises:
        InvalidField: there is no such past; `field` names what is wrong.
    """
    step = _first_step(request, outline)
    seq = 0 if request.input else outline.until(step)
    asks = bool(request.message or request.input)
    if not asks:
        _check_goes_on(outline, seq, is_open=is_open)
    return Past(
        run_id=run_id,
        seq=seq,
        step=step,
        turn=outline.turn(seq) if is_open else 1,
        asks=asks,
        edits=_edits(request.edits or [], outline, seq, step),
        steps=request.steps,
    )


def _first_step(request: ForkRequest, outline: Outline) -> int:
    newest = outline.next_step
    step = request.from_step or (1 if request.input else newest)
    if request.input and request.message:
        raise InvalidField("message: give it or `input`, not both", field="message")
    if request.input and step != 1:
        raise InvalidField("input: only with `from_step` 1; give `message`", field="input")
    if step > newest:
        raise InvalidField(
            f"from_step: step {step} has not begun, or what comes before it has not ended; "
            f"at most {newest} is possible now",
            field="from_step",
            limit=newest,
        )
    return step


def _check_goes_on(outline: Outline, seq: int, *, is_open: bool) -> None:
    """Return if a model has something to answer after that fact."""
    if not outline.has_input(seq):
        raise InvalidField("from_step: nothing was said before it", field="from_step")
    if outline.answers_last(seq) or (is_open and outline.is_idle(seq)):
        raise InvalidField(
            "message: the model has answered; give what it is told next, or an earlier `from_step`",
            field="message",
        )


def _edits(edits: list[EditBody], outline: Outline, seq: int, step: int) -> tuple[ResultEdit, ...]:
    ended = outline.results(seq)
    seen: set[str] = set()
    for index, edit in enumerate(edits):
        if edit.call_id not in ended or edit.call_id in seen:
            twice = edit.call_id in seen
            why = "is edited twice" if twice else f"is no call that has ended before step {step}"
            raise InvalidField(
                f"edits.{index}.call_id: {edit.call_id!r} {why}", field=f"edits.{index}.call_id"
            )
        seen.add(edit.call_id)
    return tuple(ResultEdit.model_validate(edit.model_dump()) for edit in edits)
