"""Deltas reach the journal at once when they are rare, and gathered when they are many."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from typing import get_args

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.attempt import Attempt
from relayline.activities.model.deltas import HOLD_S, MAX_WAITING_BYTES, DeltaWriter, Kind
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageCompleted
from relayline.journal.port import Fence, Journal
from relayline.journal.table import EVERY
from tests.activities.model.model_calls import GatedJournal
from tests.examples import examples

RUN = "run_0000000000000000"


async def writing(
    journal: Journal,
    work: Callable[[DeltaWriter], Awaitable[None]],
    *,
    run_id: str = RUN,
    hold_s: float = 30,
) -> None:
    """Do something with a writer, inside an activity."""

    async def attempt() -> None:
        writer = DeltaWriter(Attempt(journal, run_id, 0, "0/step/1"), 1, hold_s=hold_s)
        try:
            await work(writer)
        finally:
            writer.abort()

    await ActivityEnvironment().run(attempt)


async def texts(journal: Journal, run_id: str = RUN) -> list[tuple[str, str]]:
    return [(event.type, event.body().text) for event in await journal.read(EVERY, run_id)]  # type: ignore[union-attr]


async def appended(gated: GatedJournal, count: int) -> float:
    """Wait for that many appends; when the last of them began."""
    async with asyncio.timeout(10):
        while len(gated.appends) < count:
            await asyncio.sleep(0.001)
    return gated.appends[count - 1][0]


async def test_first_delta_is_written_at_once_and_those_behind_it_wait(journal: Journal) -> None:
    gated = GatedJournal(journal)

    async def work(writer: DeltaWriter) -> None:
        await writer.put("text", "a ")
        await appended(gated, 1)
        await writer.put("text", "b ")
        await writer.put("text", "c ")
        await asyncio.sleep(0.05)
        assert len(gated.appends) == 1
        await writer.close()

    await writing(gated, work)
    assert [text for _, text in await texts(journal)] == ["a ", "b c "]


async def test_delta_is_held_back_for_25_ms_at_most(journal: Journal) -> None:
    gated = GatedJournal(journal)

    async def work(writer: DeltaWriter) -> None:
        await writer.put("text", "a")
        first = await appended(gated, 1)
        await writer.put("text", "b")
        assert 0.01 < await appended(gated, 2) - first < 0.5

    assert HOLD_S == 0.025
    await writing(gated, work, hold_s=HOLD_S)


async def test_after_a_silence_a_delta_does_not_wait(journal: Journal) -> None:
    gated = GatedJournal(journal)

    async def work(writer: DeltaWriter) -> None:
        await writer.put("text", "a")
        await appended(gated, 1)
        await asyncio.sleep(1.05)
        begin = asyncio.get_running_loop().time()
        await writer.put("text", "b")
        assert await appended(gated, 2) - begin < 0.7

    await writing(gated, work, hold_s=1)


async def test_two_kib_wait_no_longer(journal: Journal) -> None:
    gated = GatedJournal(journal)

    async def work(writer: DeltaWriter) -> None:
        await writer.put("text", "first")
        await appended(gated, 1)
        await writer.put("text", "é" * 1023)
        await asyncio.sleep(0.05)
        assert len(gated.appends) == 1
        await writer.put("text", "é")
        await appended(gated, 2)

    await writing(gated, work)


async def test_change_of_kind_writes_what_came_before_and_keeps_the_order(journal: Journal) -> None:
    gated = GatedJournal(journal)

    async def work(writer: DeltaWriter) -> None:
        await writer.put("reasoning", "hm")
        await appended(gated, 1)
        await writer.put("reasoning", " hm")
        await writer.put("text", "so ")
        await appended(gated, 2)
        await writer.close()

    await writing(gated, work)
    expected = [("reasoning.delta", "hm"), ("reasoning.delta", " hm"), ("message.delta", "so ")]
    assert await texts(journal) == expected


async def test_provider_is_read_on_while_the_journal_is_busy_until_too_much_waits(
    journal: Journal,
) -> None:
    gated = GatedJournal(journal)
    gated.open.clear()

    async def work(writer: DeltaWriter) -> None:
        await writer.put("text", "a")
        await writer.put("text", "b" * (MAX_WAITING_BYTES - 1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.put("text", "c"), 0.05)
        gated.open.set()
        await writer.put("text", "d")
        await writer.close()

    await writing(gated, work)
    assert "".join(text for _, text in await texts(journal))[-2:] == "cd"


async def test_last_deltas_and_the_fact_share_one_append(journal: Journal) -> None:
    gated = GatedJournal(journal)
    body = MessageCompleted(text="ab", finish_reason="stop")

    async def work(writer: DeltaWriter) -> None:
        await writer.put("text", "a")
        await appended(gated, 1)
        await writer.put("text", "b")
        await writer.close(NewEvent(body=body, key="m"))

    await writing(gated, work)
    assert [[event.body.type for event in events] for _, events in gated.appends] == [
        ["message.delta"],
        ["message.delta", "message.completed"],
    ]


async def test_refused_append_ends_the_writer_with_its_error(journal: Journal) -> None:
    async def work(writer: DeltaWriter) -> None:
        await journal.append(RUN, [], Fence("0/step/1", 2))
        await writer.put("text", "late")
        with pytest.raises(ApplicationError) as caught:
            await asyncio.wait_for(asyncio.shield(writer.task), 1)
        assert caught.value.type == "stale-attempt"

    await writing(journal, work)


PIECES = st.lists(
    st.tuples(st.sampled_from(get_args(Kind)), st.text(max_size=1500), st.booleans()), max_size=25
)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES)
async def test_nothing_is_lost_doubled_or_moved(
    journal: Journal, pieces: list[tuple[Kind, str, bool]]
) -> None:
    run_id = f"run_{uuid.uuid4().hex}"

    async def work(writer: DeltaWriter) -> None:
        for kind, text, wait in pieces:
            await writer.put(kind, text)
            if wait:
                await asyncio.sleep(0.001)
        await writer.close()

    await writing(journal, work, run_id=run_id, hold_s=HOLD_S)

    def runs(items: list[tuple[str, str]]) -> list[tuple[str, str]]:
        grouped = itertools.groupby((it for it in items if it[1]), key=lambda it: it[0])
        return [(kind, "".join(text for _, text in group)) for kind, group in grouped]

    names = {"text": "message.delta", "reasoning": "reasoning.delta"}
    assert runs(await texts(journal, run_id)) == runs([(names[k], t) for k, t, _ in pieces])
