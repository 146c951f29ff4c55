"""The activities `record_facts` and `rewind`: append facts, and record a reset."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from temporalio import activity

from relayline.activities.attempt import Attempt
from relayline.activities.forks.appending import append_past
from relayline.activities.presence import Presence, stops
from relayline.activities.threads import in_thread
from relayline.activities.tool.mcp.port import McpTools
from relayline.contracts.calls import (
    PastRequest,
    RecordRequest,
    RewindRequest,
    RewindResult,
)
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.events import (
    TERMINAL_TYPES,
    ChildStarted,
    MessageCompleted,
    RunRewound,
)
from relayline.contracts.keys import (
    FORKED_KEY,
    QUEUED_KEY,
    answering_scope,
    begun_scope,
    call_scope,
    child_ended_key,
    past_scope,
    record_scope,
)
from relayline.journal.port import Journal
from relayline.projections.forks.past import past_end
from relayline.projections.valid import REWOUND


class RecordActivities:
    """The activities that only write to the journal."""

    def __init__(
        self,
        journal: Journal,
        presence: Presence | None = None,
        servers: McpTools | None = None,
    ) -> None:
        self._journal = journal
        self._presence = presence or Presence()
        self._servers = servers
        self._forgetting: set[asyncio.Task[None]] = set()

    @activity.defn
    async def record_facts(self, request: RecordRequest) -> None:
        """Append the outbox; each fact once, however many attempts there are.

        If the facts tell of a stop, the workers are told, so that the run's calls ask Temporal.
        If they tell of the run's end, what it has open to MCP servers here is closed meanwhile.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
        """
        scope = record_scope(request.epoch)
        attempt = Attempt(self._journal, request.run_id, request.epoch, scope)
        await attempt.record(request.outbox)
        if request.stops or stops(request.outbox):
            self._presence.tell(request.run_id)
        if self._servers and any(it.body.type in TERMINAL_TYPES for it in request.outbox.facts):
            task = asyncio.create_task(self._servers.forget(request.run_id))
            self._forgetting.add(task)
            task.add_done_callback(self._forgotten)

    def _forgotten(self, task: asyncio.Task[None]) -> None:
        self._forgetting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            activity.logger.warning("connections of a run were not closed", exc_info=error)

    @activity.defn
    async def record_past(self, request: PastRequest) -> None:
        """Append the past of a run, between the facts that come before and after it.

        All in one transaction: the run has its whole past, or nothing of it and the next attempt
        appends it. Whoever asks again changes nothing.

        Raises:
            ApplicationError: `journal-incomplete`, final: the run that it is a fork of is past
                retention, or was erased. `attempt-behind`: as in `Attempt.open`. The journal's
                errors are as in `Attempt`.
        """
        scope = past_scope(request.epoch)
        attempt = Attempt(self._journal, request.run_id, request.epoch, scope)
        await append_past(attempt, request)

    @activity.defn
    async def rewind(self, request: RewindRequest) -> RewindResult:
        """Append `run.rewound`, once: events after the newest known fact are void.

        With it, append the ends of runs that calls had begun before, and will not wait for.

        `run.queued` always counts, and so does the past that the run began with: nothing comes
        before them.

        This reopens a run that had ended. Each reset begins a new epoch, whose facts have their own
        keys. The journal refuses calls of earlier epochs from then on.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries; `journal-incomplete`,
                final: the run's events are past retention.
        """
        attempt = Attempt(self._journal, request.run_id, 0, "rewind")
        facts = await attempt.read_all(facts=True)
        bodies = {fact.key: fact.body() for fact in facts if fact.type == REWOUND}
        children, earlier = _children(facts), bodies.get(request.key)
        if isinstance(earlier, RunRewound):
            void = tuple(run_id for run_id, seq in children.items() if seq > earlier.to_seq)
            return RewindResult(epoch=earlier.epoch, children=void)
        known = set(request.known)
        first = facts[0].seq if facts and facts[0].key == QUEUED_KEY else 0
        counting = (fact.seq for fact in facts if fact.key in known)
        to_seq = max(first, past_end(facts), *counting)
        body = RunRewound(to_seq=to_seq, epoch=len(bodies) + 1)
        fact = NewEvent(key=request.key, body=body)
        data = (fact.data for fact in facts)
        seals = await in_thread(partial(scopes_of, facts, len(bodies)), data)
        if not any(fact.key == FORKED_KEY for fact in facts):
            seals = (past_scope(len(bodies)), *seals)
        ends = (
            NewEvent(key=child_ended_key(end.run_id), body=end)
            for end in request.left
            if children.get(end.run_id, to_seq + 1) <= to_seq
        )
        await attempt.record(Outbox(facts=(fact, *ends), seals=seals))
        self._presence.tell(request.run_id)
        void = tuple(run_id for run_id, seq in children.items() if seq > to_seq)
        return RewindResult(epoch=body.epoch, children=void)


def scopes_of(facts: Iterable[StoredEvent], epoch: int) -> tuple[str, ...]:
    """The fence scopes of all model and tool calls that the epoch may have started. Pure.

    A reset closes them.

    Args:
        facts: All facts of the run so far.
        epoch: The epoch that is over.
    """
    found: dict[str, None] = {}
    for fact in facts:
        if fact.step is not None and (scope := begun_scope(fact.key or "", epoch)):
            found[scope] = None
        body = fact.body() if fact.type == "message.completed" else None
        if isinstance(body, MessageCompleted):
            found |= dict.fromkeys(call_scope(epoch, call.call_id) for call in body.tool_calls)
        elif fact.type == "tool.asked" and (scope := answering_scope(fact.key or "", epoch)):
            found[scope] = None
    return tuple(found)


def _children(facts: Iterable[StoredEvent]) -> dict[str, int]:
    """The runs that calls have started, with the `seq` of `child.started`."""
    starts = ((fact.body(), fact.seq) for fact in facts if fact.type == "child.started")
    return {body.run_id: seq for body, seq in starts if isinstance(body, ChildStarted)}
