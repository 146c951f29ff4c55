"""Many runs for the list to find: the same each time, filled in by the journal's own appends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    EventBody,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunQueued,
    RunStarted,
)
from relayline.contracts.keys import QUEUED_KEY, ended_key, run_started_key
from relayline.contracts.runs import Limits, RunError
from relayline.journal.table import Storage

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
APART = timedelta(seconds=20)
"""Between a submission and the next."""
AGENTS = ("assistant", "clerk", "researcher", "reviewer", "translator", "planner", "rare")
AGENT_WEIGHTS = (50, 20, 15, 8, 5, 1.8, 0.2)
MODELS = ("anthropic:large", "anthropic:small", "openai:large", "compatible:local")
MODEL_WEIGHTS = (40, 30, 29, 1)
TEAMS, USERS, TENANTS, WORDS = 20, 1000, 10, 5000
BATCH, BATCHED, CHILDREN, FORKS = 100, 0.05, 0.02, 0.01
"""Runs of a batch; parts of all runs that are in one, that have a parent, that are forks."""
STUCK_EVERY = 20
"""Of so many open runs one has a known problem."""
_ENDED, _FAILED, _CANCELLED = 0.9, 0.94, 0.97
_AT_A_TIME = 500
_SEED = 12


def run_id(number: int) -> str:
    """Of the run with that number, from 0, which is the oldest."""
    return f"run_{number:026}"


def queued(number: int) -> RunQueued:
    """What the run was given."""
    chance = Random(_SEED + number)  # noqa: S311  no secret
    other = run_id(chance.randrange(number)) if number else None
    kind = chance.random()
    return RunQueued(
        agent=chance.choices(AGENTS, AGENT_WEIGHTS)[0],
        model=chance.choices(MODELS, MODEL_WEIGHTS)[0],
        title=" ".join(f"word{chance.randrange(WORDS)}" for _ in range(8)),
        metadata={"team": f"t{number % TEAMS}", "user": f"u{chance.randrange(USERS)}"},
        submitted_at=SINCE + number * APART,
        tenant=f"tenant{chance.randrange(TENANTS)}",
        batch=f"batch{number // BATCH}" if number // BATCH % (1 / BATCHED) == 0 else None,
        parent=other if kind < CHILDREN else None,
        forked_from=other if CHILDREN < kind < CHILDREN + FORKS else None,
    )


def facts(number: int) -> list[NewEvent]:
    """All facts of the run; of three in a hundred the end has not come."""
    given, chance = queued(number), Random(-number).random()  # noqa: S311  no secret
    started = RunStarted(agent=given.agent, model=given.model, limits=Limits())
    bodies: list[tuple[str, EventBody]] = [(QUEUED_KEY, given), (run_started_key(0), started)]
    if end := _end(chance):
        bodies.append((ended_key(0), end))
    return [NewEvent(body=body, key=key) for key, body in bodies]


def _end(chance: float) -> EventBody | None:
    if chance < _ENDED:
        return RunCompleted()
    if chance < _FAILED:
        return RunFailed(error=RunError(type=ErrorType.MODEL_REFUSED, message="refused"))
    return RunCancelled() if chance < _CANCELLED else None


async def fill(storage: Storage, runs: int) -> None:
    """Append the facts of all runs, and note what Temporal would know of the open ones."""

    async def one(number: int) -> str | None:
        events = facts(number)
        await storage.append(run_id(number), events)
        return run_id(number) if events[-1].body.type == "run.started" else None

    still_open: list[str] = []
    for start in range(0, runs, _AT_A_TIME):
        numbers = range(start, min(start + _AT_A_TIME, runs))
        still_open += filter(None, await asyncio.gather(*map(one, numbers)))
    await storage.note_attention(_stuck(still_open))


def _stuck(run_ids: Sequence[str]) -> dict[str, str | None]:
    return dict.fromkeys(run_ids[::STUCK_EVERY], "no-worker")
