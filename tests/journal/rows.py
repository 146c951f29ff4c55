"""Runs for the runs table, and the plainest way to find them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import uuid4

from hypothesis import strategies as st

from relayline.contracts.envelope import NewEvent, microseconds
from relayline.contracts.events import (
    ApprovalRequested,
    EventBody,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunQueued,
    RunStarted,
    TurnCompleted,
)
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.messages import Usage, UsageSum
from relayline.contracts.money import Cost
from relayline.contracts.runs import Limits, RunError, RunStatus
from relayline.journal.port import Journal
from relayline.journal.table import (
    EVERY,
    EveryTenant,
    Listed,
    Position,
    RunFilter,
    RunTable,
    Storage,
    Summed,
    Tenant,
)
from relayline.projections.row import RunRow, row_of

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
TENANTS = ("default", "acme", "Zürich")
AGENTS = ("assistant", "coder")
MODELS = ("rehearsal", "openai:gpt")
METADATA: Sequence[dict[str, str]] = (
    {},
    {"user": "ann"},
    {"user": "bob", "ticket": "T-42"},
    {"ticket": "t-43 Bob"},
)
TITLES = ("Fix the bug", "fixing a Fixture", "Ändere STRASSE und Straße", "", "bug_report v2")
WORDS = (
    "fix",
    "FIX",
    "fixt",
    "bug",
    "bug_r",
    "the",
    "straße",
    "änd",
    "t-4",
    "t",
    "bob",
    "run-",
    "?",
)
STARTED = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
ASKED = ApprovalRequested(approval_id="a", call_id="c", tool="look")
PRICED = Usage(
    input_tokens=1200,
    output_tokens=30,
    estimated=True,
    cost=Cost(amount="0.000000000007", estimated=True),
)
UNPRICED = Usage(input_tokens=5, estimated=True)
USED = {RunStatus.COMPLETED: PRICED, RunStatus.FAILED: UNPRICED}
"""What the runs of a status have used, if anything."""
FURTHER: Mapping[RunStatus, Sequence[EventBody]] = {
    RunStatus.QUEUED: (),
    RunStatus.RUNNING: (STARTED,),
    RunStatus.WAITING: (STARTED, ASKED),
    RunStatus.PAUSED: (STARTED, RunPaused()),
    RunStatus.IDLE: (STARTED, TurnCompleted(turn=1, status="completed")),
    RunStatus.COMPLETED: (STARTED, RunCompleted(usage=PRICED)),
    RunStatus.FAILED: (STARTED, RunFailed(error=RunError(type="x", message="no"), usage=UNPRICED)),
    RunStatus.CANCELLED: (RunCancelled(),),
}


class Made(NamedTuple):
    """A run to append."""

    run_id: str
    queued: RunQueued
    status: RunStatus
    attention: str | None


def keyed(*bodies: EventBody) -> list[NewEvent]:
    """As facts."""
    return [
        NewEvent(body=body, key=QUEUED_KEY if isinstance(body, RunQueued) else f"0/{number}")
        for number, body in enumerate(bodies)
    ]


def queued(**fields: object) -> RunQueued:
    """`run.queued` with these fields."""
    given = {"agent": "assistant", "model": "rehearsal", "title": "Fix the bug"}
    return RunQueued.model_validate({**given, "submitted_at": BEGAN, **fields})


_ids = st.sampled_from((None, None, "one", "two"))
_rng = Random(12)  # noqa: S311  the same sample each time


def _made(number: int) -> Made:
    choice = _rng.choice
    begun = queued(
        agent=choice(AGENTS),
        model=choice(MODELS),
        title=choice(TITLES),
        metadata=choice(METADATA),
        submitted_at=BEGAN + timedelta(seconds=_rng.randrange(30)),
        tenant=choice(TENANTS),
        batch=choice((None, "one", "two")),
        parent=choice((None, "one", "two")),
        root=choice((None, "one", "two")),
        forked_from=choice((None, "one", "two")),
        open=choice((True, False)),
    )
    status, attention = choice([*FURTHER]), choice((None, None, "no worker"))
    return Made(f"run-{number:03}{_rng.randrange(10**6)}", begun, status, attention)


SAMPLE = [_made(number) for number in range(80)]
"""Runs with a little of everything."""
tenants = st.sampled_from((EVERY, *TENANTS, "nobody"))
_times = st.none() | st.integers(0, 31).map(lambda s: BEGAN + timedelta(seconds=s))
filters = st.builds(
    RunFilter,
    statuses=st.frozensets(st.sampled_from([*FURTHER]), max_size=2),
    open=st.sampled_from((None, None, None, True, False)),
    agent=st.sampled_from((None, None, *AGENTS)),
    model=st.sampled_from((None, None, *MODELS)),
    metadata=st.sampled_from(({}, {}, *METADATA, {"user": "nobody"})),
    words=st.lists(st.sampled_from(WORDS), max_size=2).map(tuple),
    batch=_ids,
    parent=_ids,
    root=_ids,
    forked_from=_ids,
    conversation=st.sampled_from((None, None, True, False)),
    attention=st.sampled_from((None, None, None, True, False)),
    created_after=_times,
    created_before=_times,
)


async def append_all(storage: Storage, runs: Iterable[Made]) -> None:
    """Append these runs and note their attention."""
    attention: dict[str, str | None] = {}
    for run_id, begun, status, why in runs:
        await storage.append(run_id, keyed(begun, *FURTHER[status]))
        attention[run_id] = why
    await storage.note_attention(attention)


def fits(run: Made, tenant: Tenant, wanted: RunFilter) -> bool:
    """Whether the run belongs into that list, told in the plainest way."""
    it = run.queued
    words = re.findall(r"\w+", " ".join((it.title, run.run_id, *it.metadata.values())).casefold())
    prefixes = [part for text in wanted.words for part in re.findall(r"\w+", text.casefold())]
    attention = None if run.status.ended else run.attention
    exact = [
        (it.agent, wanted.agent),
        (it.model, wanted.model),
        (it.batch, wanted.batch),
        (it.parent, wanted.parent),
        (it.root, wanted.root),
        (it.forked_from, wanted.forked_from),
    ]
    return (
        (isinstance(tenant, EveryTenant) or it.tenant == tenant)
        and (not wanted.statuses or run.status in wanted.statuses)
        and wanted.open in {None, not run.status.ended}
        and all(value is None or has == value for has, value in exact)
        and wanted.metadata.items() <= it.metadata.items()
        and all(any(word.startswith(prefix) for word in words) for prefix in prefixes)
        and wanted.conversation in {None, it.open}
        and wanted.attention in {None, attention is not None}
        and (wanted.created_after is None or it.submitted_at >= wanted.created_after)
        and (wanted.created_before is None or it.submitted_at < wanted.created_before)
    )


def expected(runs: Iterable[Made], tenant: Tenant, wanted: RunFilter) -> list[str]:
    """The ids of the list, newest first."""
    found = [run for run in runs if fits(run, tenant, wanted)]
    found.sort(key=lambda run: (run.queued.submitted_at, run.run_id), reverse=True)
    return [run.run_id for run in found]


def counted(runs: Iterable[Made], tenant: Tenant, wanted: RunFilter) -> Counter[RunStatus]:
    """The number of runs by status."""
    return Counter(run.status for run in runs if fits(run, tenant, wanted))


def summed(runs: Iterable[Made], tenant: Tenant, wanted: RunFilter) -> dict[RunStatus, Summed]:
    """The number of runs with what they have used, by status."""
    found: dict[RunStatus, Summed] = {}
    for status, count in counted(runs, tenant, wanted).items():
        each = UsageSum.of(USED.get(status, Usage()))
        found[status] = Summed(count, sum([each] * (count - 1), start=each))
    return found


async def pages(
    table: RunTable, tenant: Tenant, wanted: RunFilter, limit: int
) -> AsyncIterator[Sequence[Listed]]:
    """The whole list, page by page."""
    before: Position | None = None
    while True:
        page = await table.list_runs(tenant, wanted, limit, before)
        yield page
        if len(page) < limit:
            return
        before = position(page[-1].row)


def position(row: RunRow) -> Position:
    """The place of the row in the list."""
    assert row.created_at is not None
    return Position(microseconds(row.created_at), row.run_id)


async def fold_of(journal: Journal, run_id: str) -> RunRow:
    """What the row must be."""
    return row_of(await journal.read(EVERY, run_id, limit=10_000, facts=True))


async def row(table: RunTable, run_id: str) -> RunRow:
    """What the row is; an empty one if there is none."""
    listed = await table.listed(EVERY, run_id)
    return listed.row if listed else RunRow()


def fresh_id() -> str:
    """The id of a run that nobody has used."""
    return f"run-{uuid4().hex[:12]}"
