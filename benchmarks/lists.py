"""A list of 50 out of 100,000 runs, by each filter, as the journal's runs table gives it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import asyncpg

from benchmarks.bulk import fill_postgres, fill_sqlite
from benchmarks.measure import Figure, p50, p95
from benchmarks.population import APART, SINCE, note_stuck, queued, run_id
from benchmarks.processors import tree_cpu_s
from relayline.contracts.envelope import microseconds
from relayline.contracts.runs import RunStatus
from relayline.journal.postgres.database import AT_START
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.migrate import migrate
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, Position, RunFilter, Storage, Tenant
from tests.postgres_server import DURABLE, PostgresServer

BENCH = "lists"
RUNS, QUICK_RUNS = 100_000, 5_000
ROUNDS, QUICK_ROUNDS = 100, 10
PAGE = 50
LIMIT_MS = 15
_BARE = "SELECT state FROM {schema}run_rows ORDER BY created_us DESC, run_id DESC LIMIT 50"
_SIZE = "SELECT pg_database_size(current_database())"
Bare = Callable[[], Awaitable[object]]


class Case(NamedTuple):
    """What is asked for."""

    wanted: RunFilter
    tenant: Tenant = EVERY
    before: Position | None = None


class Filled(NamedTuple):
    """A journal with many runs."""

    storage: Storage
    bare: Bare
    """The floor: the database's own driver fetches the newest rows, and nobody parses them."""
    bytes_per_run: float
    pids: Sequence[int] = ()
    """Of the database server, if there is one."""

    def cpu_s(self) -> float:
        """Processor seconds so far: this process, which reads, and the server."""
        return time.process_time() + sum(map(tree_cpu_s, self.pids))


def _of(*statuses: RunStatus) -> RunFilter:
    return RunFilter(statuses=frozenset(statuses))


def cases(runs: int) -> dict[str, Case]:
    """Each filter by itself: what matches much, little, and nothing."""
    half = runs // 2
    middle = Position(microseconds(SINCE + half * APART), run_id(half))
    child = next(number for number in range(half, runs) if queued(number).parent)
    fork = next(number for number in range(half, runs) if queued(number).forked_from)
    day = SINCE + half * APART
    filters = {
        "status=completed": _of(RunStatus.COMPLETED),
        "status=failed": _of(RunStatus.FAILED),
        "status=failed or cancelled": _of(RunStatus.FAILED, RunStatus.CANCELLED),
        "open": RunFilter(open=True),
        "not open": RunFilter(open=False),
        "agent, half of all": RunFilter(agent="assistant"),
        "agent, one in 500": RunFilter(agent="rare"),
        "agent, none": RunFilter(agent="nobody"),
        "model": RunFilter(model="compatible:local"),
        "metadata, one in 20": RunFilter(metadata={"team": "t7"}),
        "metadata, one in 1,000": RunFilter(metadata={"user": "u7"}),
        "metadata, both keys": RunFilter(metadata={"team": "t7", "user": "u7"}),
        "a word": RunFilter(words=("word1234",)),
        "a prefix that all have": RunFilter(words=("word",)),
        "two prefixes": RunFilter(words=("word12", "word3")),
        "batch": RunFilter(batch=queued(0).batch),
        "parent": RunFilter(parent=queued(child).parent),
        "root": RunFilter(root=queued(child).root),
        "forked_from": RunFilter(forked_from=queued(fork).forked_from),
        "attention": RunFilter(attention=True),
        "without attention": RunFilter(attention=False),
        "conversations": RunFilter(conversation=True),
        "no conversations": RunFilter(conversation=False),
        "created on one day": RunFilter(created_after=day, created_before=day + timedelta(days=1)),
        "ended on one day": RunFilter(ended_after=day, ended_before=day + timedelta(days=1)),
    }
    return {
        "no filter": Case(RunFilter()),
        "no filter, from the middle": Case(RunFilter(), before=middle),
        **{name: Case(wanted) for name, wanted in filters.items()},
        "one tenant": Case(RunFilter(), tenant="tenant3"),
        "one tenant, status=failed": Case(filters["status=failed"], tenant="tenant3"),
    }


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """All filters in turn, round by round, then the floor as often."""
    runs, rounds = (QUICK_RUNS, QUICK_ROUNDS) if quick else (RUNS, ROUNDS)
    asked = cases(runs)
    ms: dict[str, list[float]] = {name: [] for name in asked}
    floor: list[float] = []
    async with (_postgres if postgres else _sqlite)(runs) as filled:
        for name, case in asked.items():
            found = await _list(filled.storage, case)  # plans are cached from here on
            assert bool(found) == (name != "agent, none"), f"{name}: {found} runs"
        count = partial(filled.storage.count_runs, EVERY, RunFilter())
        total = partial(filled.storage.sum_runs, EVERY, RunFilter())
        before = filled.cpu_s()
        for _ in range(rounds):
            for name, case in asked.items():
                ms[name].append(await _timed(partial(_list, filled.storage, case)))
        middle = filled.cpu_s()
        for _ in range(rounds):
            floor += [await _timed(filled.bare) for _ in asked]
        ours_ms, bare_ms = (
            used / rounds / len(asked) * 1e3 for used in (middle - before, filled.cpu_s() - middle)
        )
        counts = [await _timed(count) for _ in range(max(rounds // 5, 5))]
        sums = [await _timed(total) for _ in range(max(rounds // 5, 5))]
    return [
        *figures(runs, ms, floor),
        Figure(BENCH, "CPU of a list, all filters alike", "ms", ours_ms, bare_ms, against(PAGE)),
        Figure(BENCH, f"counts of {runs:,} runs by status, p95", "ms", p95(counts)),
        Figure(BENCH, f"counts with tokens and cost of {runs:,} runs, p50", "ms", p50(sums)),
        Figure(BENCH, "disk per run of three facts", "B", filled.bytes_per_run),
    ]


def against(rows: int) -> str:
    """What the floor is."""
    return f"bare SELECT of {rows} rows"


def figures(runs: int, ms: Mapping[str, list[float]], floor: list[float]) -> list[Figure]:
    """Of milliseconds by filter; the median only of the first, which is the plain list."""
    of_all = f"list of {PAGE} out of {runs:,}"
    plain, took = next(iter(ms.items()))

    def row(name: str, ours: float, floor: float) -> Figure:
        return Figure(BENCH, f"{of_all}, {name}", "ms", ours, floor, against(PAGE))

    return [
        row(f"{plain}, p50", p50(took), p50(floor)),
        *(
            row(f"{name}, p95", p95(took), p95(floor))._replace(limit=LIMIT_MS, rule=f"{LIMIT_MS}")
            for name, took in ms.items()
        ),
    ]


async def _list(storage: Storage, case: Case) -> int:
    return len(await storage.list_runs(case.tenant, case.wanted, PAGE, case.before))


async def _timed(ask: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await ask()
    return (time.perf_counter() - began) * 1e3


@asynccontextmanager
async def _sqlite(runs: int) -> AsyncIterator[Filled]:
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        path = Path(folder) / "journal.db"
        journal = SqliteJournal(path)
        await journal.check()
        await fill_sqlite(path, runs)
        await note_stuck(journal, runs)
        reader = sqlite3.connect(path, check_same_thread=False)

        async def bare() -> None:
            await asyncio.to_thread(lambda: reader.execute(_BARE.format(schema="")).fetchall())

        try:
            yield Filled(journal, bare, _size(Path(folder)) / runs)
        finally:
            reader.close()
            await journal.close()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


@asynccontextmanager
async def _postgres(runs: int) -> AsyncIterator[Filled]:
    with PostgresServer(DURABLE) as server:
        dsn = server.create_database("lists")
        await migrate(dsn)
        reader = await asyncpg.connect(dsn, server_settings=AT_START)
        empty = await reader.fetchval(_SIZE)
        journal = PostgresJournal(dsn)
        await fill_postgres(dsn, runs)
        await note_stuck(journal, runs)

        async def bare() -> None:
            await reader.fetch(_BARE.format(schema="relayline."))

        try:
            size = await reader.fetchval(_SIZE)
            yield Filled(journal, bare, (size - empty) / runs, [server.pid])
        finally:
            await reader.close()
            await journal.close()
