"""Many runs for the list to find: the same each time."""

from __future__ import annotations

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
from relayline.contracts.messages import Usage
from relayline.contracts.money import Cost
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
CONVERSATION_EVERY = 50
"""Of so many runs one takes messages."""
BATCH, BATCHED, CHILDREN, FORKS = 100, 0.05, 0.02, 0.01
"""Runs of a batch; parts of all runs that are in one, that have a parent, that are forks."""
STUCK_EVERY = 20
"""Of so many open runs one has a known problem."""
_ENDED, _FAILED, _CANCELLED = 0.9, 0.94, 0.97
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
        root=other if kind < CHILDREN else None,
        forked_from=other if CHILDREN < kind < CHILDREN + FORKS else None,
        open=number % CONVERSATION_EVERY == 0,
    )


def facts(number: int) -> list[NewEvent]:
    """All facts of the run; of three in a hundred the end has not come."""
    given = queued(number)
    started = RunStarted(agent=given.agent, model=given.model, limits=Limits())
    bodies: list[tuple[str, EventBody]] = [(QUEUED_KEY, given), (run_started_key(0), started)]
    if end := _end(_chance(number), number):
        bodies.append((ended_key(0), end))
    return [NewEvent(body=body, key=key) for key, body in bodies]


def _chance(number: int) -> float:
    return Random(-number).random()  # noqa: S311  no secret


def _end(chance: float, number: int) -> EventBody | None:
    cost = Cost.of_picos(number * 1_000_003)
    usage = Usage(input_tokens=1000 + number % 9973, output_tokens=number % 997, cost=cost)
    if chance < _ENDED:
        return RunCompleted(usage=usage)
    if chance < _FAILED:
        error = RunError(type=ErrorType.MODEL_REFUSED, message="refused")
        return RunFailed(error=error, usage=usage)
    return RunCancelled() if chance < _CANCELLED else None


async def note_stuck(storage: Storage, runs: int) -> None:
    """Note what Temporal would know of the open ones among so many runs."""
    still_open = [run_id(it) for it in range(runs) if _end(_chance(it), it) is None]
    await storage.note_attention(dict.fromkeys(still_open[::STUCK_EVERY], "no-worker"))
