"""The Postgres journal through a pooler that keeps sessions, as PgBouncer can."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from relayline.journal.postgres.database import Database
from relayline.journal.postgres.migrate import Migrated, migrate
from relayline.journal.postgres.sql import REVISION
from tests.journal.samples import delta, end, fact, follow, fresh_run, seqs
from tests.journal.storage import opened
from tests.postgres_server import PostgresServer

_WANTS_TLS = 80877103
_TAKEN = {
    "user",
    "database",
    "client_encoding",
    "datestyle",
    "timezone",
    "standard_conforming_strings",
    "application_name",
}
"""What PgBouncer takes at the start of a connection; it refuses whatever else it is not told to
ignore: https://www.pgbouncer.org/config.html#ignore_startup_parameters."""


async def _start_packet(client: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack("!I", await client.readexactly(4))
    return await client.readexactly(size - 4)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


async def _serve(port: int, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
    packet = await _start_packet(client)
    if struct.unpack("!I", packet[:4]) == (_WANTS_TLS,):
        answers.write(b"N")
        packet = await _start_packet(client)
    names = packet[4:].rstrip(b"\0").split(b"\0")[::2]
    for name in map(bytes.decode, names):
        if name not in _TAKEN:
            said = f"SFATAL\0C08P01\0Munsupported startup parameter: {name}\0\0".encode()
            answers.write(b"E" + struct.pack("!I", len(said) + 4) + said)
            answers.close()
            return
    server, asks = await asyncio.open_connection("127.0.0.1", port)
    asks.write(struct.pack("!I", len(packet) + 4) + packet)
    await asyncio.gather(_pump(client, asks), _pump(server, answers))


@asynccontextmanager
async def _pooler(postgres: PostgresServer) -> AsyncIterator[int]:
    """Takes what PgBouncer takes; the port that it listens on."""
    under_way: set[asyncio.Task[None]] = set()

    def accept(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(postgres.port, client, answers))
        under_way.add(task)

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


@pytest.fixture
async def dsn(postgres: PostgresServer) -> AsyncIterator[str]:
    """An empty database, through the pooler."""
    direct = postgres.create_database(f"test_{uuid4().hex}")
    async with _pooler(postgres) as port:
        yield direct.replace(f":{postgres.port}/", f":{port}/")


async def test_a_pooler_that_keeps_sessions_may_stand_in_between(dsn: str) -> None:
    assert await migrate(dsn) == Migrated(None, REVISION)
    run = fresh_run()
    async with opened(dsn) as journal:
        await journal.check()
        following = asyncio.create_task(follow(journal, run))
        await journal.append(run, [delta()])
        await journal.append(run, [fact("k"), end()])
        assert seqs(await following) == [1, 2, 3]


async def test_what_bounds_a_connection_is_in_force_behind_a_pooler_too(dsn: str) -> None:
    database = Database(dsn)
    names = ("jit", "statement_timeout", "synchronous_commit")
    shown = "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    found: list[asyncpg.Record | None] = []
    for relaxed in (False, True):
        connection = await database.connect(relaxed=relaxed)
        found.append(await connection.fetchrow(shown))
        await connection.close()
    async with database.pool(1) as pool:
        found += [await pool.fetchrow(shown) for _ in range(2)]  # lent out again, too
    bounded, unhurried = ("off", "5s", "on"), ("off", "5s", "off")
    assert [tuple(it or ()) for it in found] == [bounded, unhurried, bounded, bounded]
