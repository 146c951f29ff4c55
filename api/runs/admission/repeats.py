"""Tells a repeated request for a run from another one with the same key."""

from __future__ import annotations

from relayline.api.bodies import RunRequest
from relayline.api.part_bodies import parts_in, text_in
from relayline.api.temporal.execution import Execution
from relayline.contracts.events import RunQueued, RunStarted, UserMessageEvent
from relayline.contracts.runs import RunInput
from relayline.journal.port import CursorExpired
from relayline.journal.table import EVERY, Storage


async def is_same(
    storage: Storage, request: RunRequest | None, run: RunInput, execution: Execution | None
) -> bool:
    """True when the same request started the run with that id.

    Args:
        storage: Has the facts of the run.
        request: What is asked for now; None: a fork.
        run: What would be started.
        execution: The run that is there, as Temporal knows it; None if it has forgotten it.

    Raises:
        JournalUnavailable: only the journal knows the run, and can't be asked.
    """
    if execution and execution.request:
        return execution.request.request_sha256 == run.request_sha256
    return await _same_in_journal(storage, request, run)


async def _same_in_journal(storage: Storage, request: RunRequest | None, run: RunInput) -> bool:
    """Compare with the run's first facts; True if they were swept.

    For runs that Temporal has forgotten: a second run would be worse than a lenient answer.
    """
    source = run.past.run_id if run.past else None
    try:
        stored = await storage.read(EVERY, run.run_id, 0, 3, facts=True)
        facts = [fact.body() for fact in stored]
    except CursorExpired:
        return True
    for body in facts:
        if isinstance(body, RunQueued) and body.forked_from != source:
            return False
        if request is None:
            continue
        if isinstance(body, UserMessageEvent) and _is_other(request, body):
            return False
        if isinstance(body, RunStarted) and not _same_start(request, body):
            return False
    return True


def _is_other(request: RunRequest, said: UserMessageEvent) -> bool:
    """True if the run does not begin with what the request says first."""
    first = request.history[0].content if request.history else request.input
    names = {"type", "text", "file_id", "url"}
    had = [part.model_dump(include=names) for part in said.parts]
    given = [part.model_dump(include=names) for part in parts_in(first)]
    return (said.text, had) != (text_in(first), given)


def _same_start(request: RunRequest, started: RunStarted) -> bool:
    asked = request.limits.model_dump(exclude_unset=True) if request.limits else {}
    given = started.limits.model_dump()
    return (
        request.agent == started.agent
        and request.model in {None, started.model}
        and (request.metadata or {}) == (started.metadata or {})
        and all(given[name] == value for name, value in asked.items())
    )
