"""What a journal in Postgres takes: log and disk per event, words that wake, idle watching."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple
from uuid import uuid4

import asyncpg

from benchmarks.appends import KINDS, TEXT, Append, Kind, appending, event, inserting
from benchmarks.measure import Figure
from benchmarks.processors import tree_cpu_s
from relayline.journal.postgres.database import AT_START
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.migrate import migrate
from relayline.journal.postgres.sql import APPEND, NEWER, append_arguments, channel_of
from relayline.journal.rows import new_row
from relayline.journal.subscription import TAIL_PAGE
from tests.postgres_server import DURABLE, PostgresServer

BENCH = "capacity"
RUNS, EVENTS = 20, 500
"""So many events are appended to each of so many runs."""
WATCHED = (1_000, 10_000)
LISTENERS, TOLD = 8, 20_000
COMMITTERS = 8
_SIZES = "SELECT pg_total_relation_size($1::regclass), pg_current_wal_insert_lsn() - '0/0'"
_TELL = "SELECT pg_notify($1, 'run_' || i) FROM generate_series(1, $2::int) AS i"
LOOKED = 200_000
"""Watched runs that are looked at, altogether."""


class Grown(NamedTuple):
    """Bytes per event."""

    table: float
    """Indexes included."""
    log: float
    """WAL."""


async def measure(*, quick: bool) -> list[Figure]:
    """Each part on a database of its own, one after the other."""
    with PostgresServer(DURABLE) as server:
        databases = [server.create_database(f"capacity_{number}") for number in range(4)]
        for dsn in databases:
            await migrate(dsn)
        figures = [figure for kind in KINDS[::2] for figure in await _sizes(databases[0], kind)]
        figures += await _telling(server, databases[1], TOLD // 10 if quick else TOLD)
        figures += await _committing(databases[3], 1 if quick else 5)
        figures += [await _looking(server, databases[2], runs) for runs in WATCHED]
    return figures


async def _sizes(dsn: str, kind: Kind) -> list[Figure]:
    observer = await asyncpg.connect(dsn)
    async with appending(dsn, kind) as append, inserting(dsn, kind) as insert:
        await observer.execute("CHECKPOINT")
        ours = await _growth(observer, "relayline.events", append)
        bare = await _growth(observer, "public.bare", insert)
    await observer.close()
    names = ("bytes on disk, indexes included", "bytes of log (WAL)")
    return [
        Figure(BENCH, f"{kind.name}, {len(TEXT)} letters: {name}", "B", one, other, "bare INSERT")
        for name, one, other in zip(names, ours, bare, strict=True)
    ]


async def _growth(observer: asyncpg.connection.Connection, table: str, append: Append) -> Grown:
    async def fill(run_id: str) -> None:
        for number in range(1, EVENTS + 1):
            await append(run_id, number)

    await asyncio.gather(*(fill(f"run_{uuid4().hex}") for _ in range(RUNS)))
    before = await observer.fetchrow(_SIZES, table)
    await asyncio.gather(*(fill(f"run_{uuid4().hex}") for _ in range(RUNS)))
    after = await observer.fetchrow(_SIZES, table)
    assert before is not None
    assert after is not None
    table_b, log_b = (float(now - then) for now, then in zip(after, before, strict=True))
    return Grown(table_b / RUNS / EVENTS, log_b / RUNS / EVENTS)


async def _telling(server: PostgresServer, dsn: str, told: int) -> list[Figure]:
    """What a word costs that a process hears and does not care for."""
    alone = await _told(server, dsn, told, 0)
    heard = await _told(server, dsn, told, LISTENERS)
    extra = (heard - alone) / told / LISTENERS
    return [Figure(BENCH, "CPU per NOTIFY and process that hears it", "µs", extra * 1e6)]


async def _told(server: PostgresServer, dsn: str, told: int, listeners: int) -> float:
    """Processor seconds of telling so many processes."""
    run_id = f"run_{uuid4().hex}"
    heard = [0]
    over = asyncio.Event()

    def hear(*_notice: object) -> None:
        heard[0] += 1
        if heard[0] == told * listeners:
            over.set()

    teller, *others = [await asyncpg.connect(dsn) for _ in range(1 + listeners)]
    for listener in others:
        await listener.add_listener(channel_of(run_id), hear)
    began = time.process_time() + tree_cpu_s(server.pid)
    for _ in range(100):
        await teller.fetch(_TELL, channel_of(run_id), told // 100)
    if listeners:
        await over.wait()
    spent = time.process_time() + tree_cpu_s(server.pid) - began
    for connection in (teller, *others):
        await connection.close()
    return spent


async def _committing(dsn: str, rounds: int) -> list[Figure]:
    """Whether a transaction that notifies keeps others from committing, when all wait for disk."""
    told = untold = 0
    for _ in range(rounds):
        told += await _committed(dsn, tells=True)
        untold += await _committed(dsn, tells=False)
    name = f"facts committed on {COMMITTERS} connections, NOTIFY in the transaction"
    return [Figure(BENCH, name, "1/s", told / rounds, untold / rounds, "without NOTIFY")]


async def _committed(dsn: str, *, tells: bool) -> int:
    """How many appends these connections commit in a second, each one by one."""
    loop = asyncio.get_running_loop()
    connections = [await asyncpg.connect(dsn) for _ in range(COMMITTERS)]
    over = loop.time() + 1

    async def commit(connection: asyncpg.connection.Connection) -> int:
        run_id, number = f"run_{uuid4().hex}", 0
        while loop.time() < over:
            number += 1
            rows = [new_row(event(KINDS[-1], number))]
            await connection.fetch(APPEND, *append_arguments(run_id, rows, None, notify=tells))
        return number

    committed = await asyncio.gather(*map(commit, connections))
    await asyncio.gather(*(connection.close() for connection in connections))
    return sum(committed)


async def _looking(server: PostgresServer, dsn: str, runs: int) -> Figure:
    """A look at runs that are watched and say nothing; there is one every second."""
    positions = {f"run_{uuid4().hex}": 1 for _ in range(runs)}
    journal = PostgresJournal(dsn)
    await asyncio.gather(*(journal.append(it, [event(KINDS[0], 1)]) for it in positions))
    await journal.close()
    connection = await asyncpg.connect(dsn, server_settings=AT_START)
    await connection.execute("ANALYZE")
    looks = LOOKED // runs
    began = time.process_time() + tree_cpu_s(server.pid)
    for _ in range(looks):
        found = await connection.fetch(NEWER, list(positions), list(positions.values()), TAIL_PAGE)
        assert not found
    spent = time.process_time() + tree_cpu_s(server.pid) - began
    await connection.close()
    name = f"CPU of a look at {runs:,} watched runs, with Postgres's"
    return Figure(BENCH, name, "ms", spent / looks * 1e3)
