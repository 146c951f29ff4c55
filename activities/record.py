"""Appends facts that the workflow decided, where no other activity is about to start."""

from __future__ import annotations

from temporalio import activity

from activities.attempt import Attempt
from contracts.envelope import NewEvent
from contracts.events import MessageCompleted, RunCompleted
from contracts.steps import RecordRequest, message_key
from journal.port import Journal


class RecordActivities:
    """The activity `record_facts`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @activity.defn
    async def record_facts(self, request: RecordRequest) -> None:
        """Append the outbox; each fact once, however often this is tried.

        `run.completed` gets its output here, from the message of its step: the whole text never
        passes through the workflow.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal tries again.
        """
        attempt = Attempt(self._journal, request.run_id, f"{request.epoch}/record")
        facts = [await _with_output(attempt, request.epoch, fact) for fact in request.outbox.facts]
        await attempt.record(request.outbox.model_copy(update={"facts": tuple(facts)}))


async def _with_output(attempt: Attempt, epoch: int, fact: NewEvent) -> NewEvent:
    """The fact itself, or `run.completed` with the text of its step's message."""
    if not isinstance(fact.body, RunCompleted) or fact.step is None:
        return fact
    stored = await attempt.get(message_key(epoch, fact.step))
    body = stored.body() if stored else None
    output = body.text if isinstance(body, MessageCompleted) else ""
    return fact.model_copy(update={"body": fact.body.model_copy(update={"output": output})})
