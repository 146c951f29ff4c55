"""What an append to the Postgres journal costs, next to a bare INSERT of the same row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple
from uuid import uuid4

import asyncpg

from benchmarks.measure import Figure, Spent, spent_together
from benchmarks.processors import tree_cpu_s
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import MessageDelta, UserMessageEvent
from relayline.journal.port import Fence
from relayline.journal.postgres.database import AT_START
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.migrate import migrate
from tests.postgres_server import DURABLE, PostgresServer

BENCH = "appends"
WRITERS = 20
ROUNDS = 6
ROUND_S = 1.0
LEAST = 0.5
"""Appends per core, as a part of the floor's."""
TEXT = "word-0001 "
_FENCE = Fence("0/step/1", 1)
_COLUMNS = StoredEvent._fields
_BARE = "CREATE TABLE IF NOT EXISTS public.bare (LIKE relayline.events INCLUDING ALL)"
_INSERT = f"""
INSERT INTO public.bare ({", ".join(_COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""  # noqa: S608  constants only

Append = Callable[[str, int], Awaitable[object]]
"""Appends the event with that number to that run."""


class Kind(NamedTuple):
    """What is appended, and how it is committed."""

    name: str
    keyed: bool
    relaxed: bool


KINDS = (
    Kind("a delta, relaxed commit", keyed=False, relaxed=True),
    Kind("a delta, on disk", keyed=False, relaxed=False),
    Kind("a fact, on disk", keyed=True, relaxed=False),
)


def event(kind: Kind, number: int) -> NewEvent:
    """The event that is appended."""
    if kind.keyed:
        return NewEvent(body=UserMessageEvent(text=TEXT), step=1, attempt=1, key=f"0/fact/{number}")
    return NewEvent(body=MessageDelta(text=TEXT), step=1, attempt=1)


def row(kind: Kind, run_id: str, number: int) -> StoredEvent:
    """The same as a row that is made by hand."""
    new = event(kind, number)
    at_us = time.time_ns() // 1000
    return StoredEvent(
        run_id, number, at_us, new.body.type, new.step, new.attempt, new.key, new.data_json()
    )


async def measure(*, quick: bool) -> list[Figure]:
    """Ours and the floors in turn, a second each, so that a noisy moment hits them alike."""
    figures: list[Figure] = []
    with PostgresServer(DURABLE) as server:
        dsn = server.create_database("appends")
        await migrate(dsn)
        for kind in KINDS:
            figures += await _kind(server, dsn, kind, 2 if quick else ROUNDS)
    return figures


async def _kind(server: PostgresServer, dsn: str, kind: Kind, rounds: int) -> list[Figure]:
    ours, bare, copied = [], [], []
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(appending(dsn, kind))
        insert = await stack.enter_async_context(inserting(dsn, kind))
        copy = await stack.enter_async_context(copying(dsn, kind))
        for load in (journal, insert, copy):
            await _load(server, load, 0.3)  # connections are made, plans are cached
        for _ in range(rounds):
            ours.append(await _load(server, journal, ROUND_S))
            bare.append(await _load(server, insert, ROUND_S))
            copied.append(await _load(server, copy, ROUND_S))
    return figures_of(kind, *map(spent_together, (ours, bare, copied)))


def figures_of(kind: Kind, ours: Spent, bare: Spent, copied: Spent) -> list[Figure]:
    """Costs per append, which are appends per core turned upside down."""
    against = f"INSERT per row, {WRITERS} connections"

    def shown(name: str, unit: str, value: float, floor: float) -> Figure:
        return Figure(BENCH, f"{kind.name}: {name}", unit, value, floor=floor, against=against)

    return [
        shown("CPU, ours + Postgres", "µs", ours.cpu_us, bare.cpu_us)._replace(
            limit=bare.cpu_us / LEAST, rule=f"≥ {LEAST:g} x appends/s per core"
        ),
        shown("appends/s per core", "1/s", ours.per_core, bare.per_core),
        shown("appends/s", "1/s", ours.per_s, bare.per_s),
        shown("CPU, ours + Postgres", "µs", ours.cpu_us, copied.cpu_us)._replace(
            against=f"COPY of {WRITERS} rows, 1 connection"
        ),
    ]


@asynccontextmanager
async def appending(dsn: str, kind: Kind) -> AsyncIterator[Append]:
    journal = PostgresJournal(dsn, relaxed_deltas=kind.relaxed)

    async def append(run_id: str, number: int) -> None:
        placed = await journal.append(run_id, [event(kind, number)], _FENCE)
        assert placed[0].seq == number, f"{placed} in place of {number}"

    try:
        yield append
    finally:
        await journal.close()


@asynccontextmanager
async def inserting(dsn: str, kind: Kind) -> AsyncIterator[Append]:
    """What one would write without our guarantees: each writer commits its row by itself."""
    connections = [await _connect(dsn, kind) for _ in range(WRITERS)]
    await connections[0].execute(_BARE)
    free: asyncio.LifoQueue[asyncpg.connection.Connection] = asyncio.LifoQueue()
    prepared = {it: await it.prepare(_INSERT) for it in connections}
    for connection in connections:
        free.put_nowait(connection)

    async def append(run_id: str, number: int) -> None:
        connection = free.get_nowait()
        try:
            await prepared[connection].fetch(*row(kind, run_id, number))
        finally:
            free.put_nowait(connection)

    try:
        yield append
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))


@asynccontextmanager
async def copying(dsn: str, kind: Kind) -> AsyncIterator[Append]:
    """All rows that wait go into one COPY, as all appends that wait go into one group of ours."""
    connection = await _connect(dsn, kind)
    waiting: list[tuple[StoredEvent, asyncio.Future[None]]] = []
    news = asyncio.Event()

    async def work() -> None:
        while True:
            await news.wait()
            news.clear()
            group, waiting[:] = waiting[:], []
            rows = [row for row, _ in group]
            await connection.copy_records_to_table(
                "bare", schema_name="public", columns=_COLUMNS, records=rows
            )
            for _, future in group:
                future.set_result(None)

    async def append(run_id: str, number: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append((row(kind, run_id, number), future))
        news.set()
        await future

    task = asyncio.create_task(work())
    try:
        yield append
    finally:
        task.cancel()
        await connection.close()


async def _connect(dsn: str, kind: Kind) -> asyncpg.connection.Connection:
    relaxed = {"synchronous_commit": "off"} if kind.relaxed else {}
    return await asyncpg.connect(dsn, server_settings=AT_START | relaxed)


async def _load(server: PostgresServer, append: Append, seconds: float) -> Spent:
    """`WRITERS` runs, each appended to one event after the other for so long."""
    loop = asyncio.get_running_loop()
    began, cpu_s = loop.time(), time.process_time() + tree_cpu_s(server.pid)

    async def write(run_id: str) -> int:
        number = 0
        while loop.time() < began + seconds:
            number += 1
            await append(run_id, number)
        return number

    counts = await asyncio.gather(*(write(f"run_{uuid4().hex}") for _ in range(WRITERS)))
    cpu_s = time.process_time() + tree_cpu_s(server.pid) - cpu_s
    return Spent(sum(counts), loop.time() - began, cpu_s)
