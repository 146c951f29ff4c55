"""A viewer that waits is sent what is new at once; its task wakes only for what is more work."""

from __future__ import annotations

import asyncio

from temporalio.client import Client

from relayline.api.streams.frames import frame
from relayline.api.streams.viewer import Viewer
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.runtime.settings import Settings
from tests.api.serving import completed, deltas, eventually, run_id, serving, started


class Connection:
    """Takes pieces of a body while its client reads."""

    def __init__(self) -> None:
        self.reads = True
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> bool:
        if self.reads:
            self.pieces.append(piece)
        return self.reads


def connected(viewer: Viewer) -> Connection:
    connection = Connection()
    viewer.pusher = lambda: viewer.push_to(connection.write)
    return connection


async def caught_up(viewer: Viewer, connection: Connection) -> None:
    """Have the viewer at event 2, whether it was pushed or had to read."""
    async with asyncio.timeout(10):
        while viewer.position < 2:
            if chunk := await viewer.next_chunk():
                connection.pieces.append(chunk)
            await asyncio.sleep(0.001)


async def sleeping(viewer: Viewer) -> asyncio.Task[None]:
    """The viewer's sleep, after any wake that it has missed."""
    while True:
        task = asyncio.create_task(viewer.sleep())
        await asyncio.sleep(0.01)
        if not task.done():
            return task


async def test_two_viewers_are_pushed_what_one_would_read_and_woken_at_the_end(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    async with serving(Settings(), journal, no_temporal) as api:
        viewers = [api.services.feed.view(EVERY, run, after, 1) for after in (0, 1)]
        whole, late = map(connected, viewers)
        await journal.append(run, deltas(1))
        await asyncio.gather(caught_up(viewers[0], whole), caught_up(viewers[1], late))
        asleep = [await sleeping(viewer) for viewer in viewers]
        for event in deltas(5):
            await journal.append(run, [event])
        await eventually(lambda: viewers[0].position == viewers[1].position == 7)
        assert not any(task.done() for task in asleep)
        await journal.append(run, [completed()])
        await asyncio.gather(*asleep)
        stored = [frame(event) for event in await journal.read(EVERY, run)]
        assert b"".join(whole.pieces) == b"".join(stored[:7])
        assert b"".join(late.pieces) == b"".join(stored[1:7])
        assert await viewers[0].next_chunk() == stored[7]
        for viewer in viewers:
            viewer.leave()


async def test_a_viewer_whose_client_does_not_read_is_woken_and_misses_nothing(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    async with serving(Settings(), journal, no_temporal) as api:
        viewer = api.services.feed.view(EVERY, run, 1, 1)
        connection = connected(viewer)
        connection.reads = False
        await journal.append(run, deltas(3))
        async with asyncio.timeout(10):
            await viewer.sleep()
        stored = [frame(event) for event in await journal.read(EVERY, run)]
        assert connection.pieces == []
        assert await viewer.next_chunk() == b"".join(stored[1:])
        connection.reads = True
        await journal.append(run, deltas(1))
        await eventually(lambda: viewer.position == 5)
        assert len(connection.pieces) == 1
        viewer.leave()
