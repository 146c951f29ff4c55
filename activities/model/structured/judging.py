"""Whether an answer is the JSON that the agent's output schema asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from pydantic import JsonValue
from pydantic_core import from_json

from relayline.activities.arguments import finite
from relayline.activities.threads import in_thread
from relayline.catalog.schemas.schema import mismatch
from relayline.contracts.calls import MAX_REJECTIONS, preview
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import MessageCompleted, OutputRejected
from relayline.contracts.keys import rejected_key
from relayline.contracts.runs import AgentSpec

PROBLEM_CHARS = 1000
_REJECTED, _USER = "output.rejected", "message.user"
_CUT = frozenset({"length", "content_filter"})


class Judged(NamedTuple):
    """An answer, and what is wrong with it."""

    body: MessageCompleted
    """Marked as JSON if it fits."""
    rejection: OutputRejected | None
    """None: the answer fits, asks for tools first, or may be any text."""


async def judged(body: MessageCompleted, agent: AgentSpec, facts: Iterable[StoredEvent]) -> Judged:
    """Check an answer against the output schema; one that calls tools is not the last.

    Args:
        body: The answer.
        agent: Has the schema, if there is one.
        facts: Of the run, as far as they still count.
    """
    if agent.output_schema is None or body.tool_calls:
        return Judged(body, None)
    problem = await in_thread(partial(_problem, body, agent.output_schema), (body.text,))
    if problem is None:
        return Judged(body.model_copy(update={"output_type": "json"}), None)
    return Judged(
        body,
        OutputRejected(
            problem=preview(problem, PROBLEM_CHARS),
            rejections=_before(facts) + 1,
            allowed=MAX_REJECTIONS,
        ),
    )


def rejection_of(facts: Iterable[StoredEvent], epoch: int, step: int) -> OutputRejected | None:
    """Why the recorded answer of a step does not fit; None if it does."""
    key = rejected_key(epoch, step)
    body = next((fact.body() for fact in facts if fact.key == key), None)
    return body if isinstance(body, OutputRejected) else None


def value_of(text: str) -> JsonValue:
    """The JSON value that is the whole text.

    Raises:
        ValueError: it is no JSON, nested too deeply, or has a number that JSON does not have.
    """
    value: JsonValue = from_json(text, allow_inf_nan=False)
    if not finite(value):  # `1e999` is read as infinity, and would be stored as null
        raise ValueError("a number is too large")
    return value


def _problem(body: MessageCompleted, schema: Mapping[str, JsonValue]) -> str | None:
    """Why the text is not what was asked for; None if it is."""
    try:
        value = value_of(body.text)
    except ValueError as error:
        cut = f" (the answer was cut off: {body.finish_reason})" * (body.finish_reason in _CUT)
        return f"it is no JSON: {error}{cut}"
    return mismatch(schema, value)


def _before(facts: Iterable[StoredEvent]) -> int:
    """Answers that were rejected since the newest message of a person."""
    count = 0
    for fact in facts:
        count = 0 if fact.type == _USER else count + (fact.type == _REJECTED)
    return count
