"""What the processes of these tests do: `python -m tests.journal.process TASK STORAGE RUN NAME`.

Each writes `seq text` per event to its standard output, once `append` has returned it (writers)
or `tail` has yielded it (readers).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Iterable

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunPaused, StepStarted
from relayline.journal.port import Fence, Journal
from relayline.journal.table import EVERY, Storage
from tests.journal.samples import delta, end, fact, tailing, texts
from tests.journal.storage import open_table

APPENDS = 150


async def write(journal: Journal, run: str, name: str) -> None:
    """A fixed number of appends, every fifth with a fact that all writers append."""
    await _append(journal, run, name, range(APPENDS))


async def stream(journal: Journal, run: str, name: str) -> None:
    """Append until killed."""
    await _append(journal, run, name, itertools.count())


async def _append(journal: Journal, run: str, name: str, rounds: Iterable[int]) -> None:
    for n in rounds:
        said = [f"{name}/{n}/{part}" for part in range(1 + n % 3)]
        events = [delta(text) for text in said]
        if n % 5 == 0:
            said.append(f"shared/{n}")
            events.append(fact(f"shared/{n}", f"shared/{n}"))
        placed = await journal.append(run, events, Fence(name, 1))
        _say((place.seq, text) for place, text in zip(placed, said, strict=True))


async def live(journal: Journal, run: str, name: str) -> None:
    """Append facts that change rows, to the run and to runs of its own, until killed."""
    for n in itertools.count():
        own = f"{run}-{name}-{n // 10}"
        step = NewEvent(body=StepStarted(model="m"), key=f"step/{n}", step=n)
        paused = NewEvent(body=RunPaused(), key=f"paused/{name}/{n}")
        for run_id in (run, own):
            placed = await journal.append(run_id, [delta(), step, paused])
            _say((place.seq, run_id) for place in placed)


async def erase(storage: Storage, run: str, name: str) -> None:
    """Write runs that have ended and erase each, until killed; says so before it begins."""
    for n in itertools.count():
        own = f"{run}-{name}-{n}"
        await storage.append(own, [fact("said", own), *(delta(own) for _ in range(500)), end()])
        _say([(n, own)])
        await storage.erase(EVERY, own)


async def erase_tenant(storage: Storage, tenant: str, _name: str) -> None:
    """Erase the runs of a tenant, one by one; says so after each."""
    n = 0
    while await storage.erase_runs(tenant, 1):
        n += 1
        _say([(n, tenant)])


async def tail(journal: Journal, run: str, name: str) -> None:
    """Follow the run to its end."""
    async with tailing(journal, run) as batches:
        async for batch in batches:
            _say((event.seq, (texts([event]) or [event.type])[0]) for event in batch)


def _say(lines: Iterable[tuple[int, str]]) -> None:
    sys.stdout.write("".join(f"{seq} {text}\n" for seq, text in lines))
    sys.stdout.flush()


async def main(task: str, storage: str, run: str, name: str) -> None:
    journal = open_table(storage)
    tasks = {"write": write, "stream": stream, "live": live, "tail": tail, "erase": erase}
    await (tasks | {"erase_tenant": erase_tenant})[task](journal, run, name)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
