"""Events to append, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from uuid import uuid4

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import MessageDelta, RunCompleted, UserMessageEvent
from relayline.journal.port import Journal
from relayline.journal.table import EVERY


def fresh_run() -> str:
    return f"run-{uuid4().hex[:12]}"


def delta(text: str = "x") -> NewEvent:
    return NewEvent(body=MessageDelta(text=text), step=1, attempt=1)


def fact(key: str, text: str = "said") -> NewEvent:
    return NewEvent(body=UserMessageEvent(text=text), key=key)


def end(key: str = "0/end") -> NewEvent:
    return NewEvent(body=RunCompleted(output="done"), key=key)


def seqs(events: Sequence[StoredEvent]) -> list[int]:
    return [event.seq for event in events]


def texts(events: Sequence[StoredEvent]) -> list[str]:
    bodies = [event.body() for event in events]
    return [body.text for body in bodies if isinstance(body, MessageDelta | UserMessageEvent)]


def tailing(
    journal: Journal, run_id: str, after: int | StoredEvent = 0
) -> aclosing[AsyncGenerator[Sequence[StoredEvent], None]]:
    """A tail that is closed at the end of the block."""
    return aclosing(journal.tail(EVERY, run_id, after))


async def follow(journal: Journal, run_id: str, after: int | StoredEvent = 0) -> list[StoredEvent]:
    """The whole tail, to the end of the run."""
    events: list[StoredEvent] = []
    async with asyncio.timeout(15), tailing(journal, run_id, after) as tail:
        async for batch in tail:
            events.extend(batch)
    return events
