"""For whom a run works, as its journal says: tenant, user, agent, metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from relayline.activities.attempt import Attempt
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import RunQueued, RunStarted, StepStarted
from relayline.contracts.keys import QUEUED_KEY, run_started_key, started_key


class Whose(NamedTuple):
    """For whom a run works."""

    tenant: str
    user: str = ""
    """Empty if nobody has said."""
    agent: str = ""
    """The name of the run's agent."""
    metadata: Mapping[str, str] = {}


def whose(tenant: str, given: StoredEvent | None) -> Whose:
    """As `run.queued` says, or `run.started` of a run that an older version has started."""
    match given.body() if given else None:
        case RunQueued() as body:
            return Whose(tenant, body.user, body.agent, body.metadata)
        case RunStarted() as body:
            return Whose(tenant, "", body.agent, body.metadata or {})
        case _:
            return Whose(tenant)


class Caller(NamedTuple):
    """Where in which run a tool is called."""

    whose: Whose
    turn: int | None
    """Of a conversation; None in any other run."""


async def caller_of(attempt: Attempt, tenant: str, epoch: int, step: int) -> Caller:
    """Where the call of that step comes from."""
    given = await attempt.get(QUEUED_KEY) or await attempt.get(run_started_key(epoch))
    started = await attempt.get(started_key(epoch, step))
    body = started.body() if started else None
    return Caller(whose(tenant, given), body.turn if isinstance(body, StepStarted) else None)
