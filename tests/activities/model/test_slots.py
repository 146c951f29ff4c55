"""The slots of a provider: who is next, how a call waits, and how it stops to wait."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.model.slots import Slots, Waiting, next_call
from relayline.catalog.models import ProviderLimit
from relayline.contracts.errors import ErrorType

KEYS = st.sampled_from("abc")
WAITING = st.lists(st.builds(Waiting, KEYS, st.integers(1, 5)), max_size=12)
BOUND_S = 15


@given(limit=st.integers(1, 9), held=st.lists(KEYS, max_size=9), waiting=WAITING)
def test_a_key_gets_no_more_than_half_while_others_wait_and_no_slot_stays_free(
    limit: int, held: list[str], waiting: list[Waiting]
) -> None:
    has = Counter(held[:limit])
    index = next_call(limit, has, waiting)
    assert (index is None) == (not waiting or has.total() >= limit)
    if index is None:
        return
    chosen, half = waiting[index], max(1, limit // 2)
    below = [each for each in waiting if has[each.key] < half]
    if below:
        assert chosen in below
        assert chosen.priority == min(each.priority for each in below)
    equals = [each for each in waiting if each == chosen]
    assert waiting.index(equals[0]) == index, "the longest wait is first"


def test_a_newcomer_gets_the_next_slot_of_a_provider_that_one_key_has_filled() -> None:
    waiting = [Waiting("flood"), Waiting("flood", 1), Waiting("other", 5)]
    assert next_call(4, {"flood": 3}, waiting) == 2
    assert next_call(4, {"flood": 4}, waiting) is None
    assert next_call(4, {"flood": 3}, waiting[:2]) == 1, "alone, a key may have them all"


class Call:
    """A call that holds a slot until it is told to end."""

    def __init__(self, slots: Slots, key: str) -> None:
        self.env = ActivityEnvironment()
        self.env.info = dataclasses.replace(self.env.info, priority=Priority(fairness_key=key))
        self.begun, self.over = asyncio.Event(), asyncio.Event()
        self.task = asyncio.ensure_future(self.env.run(self._work, slots))

    async def _work(self, slots: Slots) -> None:
        async with slots.held():
            self.begun.set()
            await self.over.wait()


@asynccontextmanager
async def calls_of(slots: Slots, *keys: str) -> AsyncIterator[list[Call]]:
    calls = []
    for key in keys:
        calls.append(Call(slots, key))
        await asyncio.sleep(0.01)
    yield calls
    for call in calls:
        call.over.set()
    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(*(call.task for call in calls), return_exceptions=True)


async def test_a_call_that_waits_starts_when_its_turn_has_come() -> None:
    async with calls_of(Slots(ProviderLimit(2)), "a", "a", "a", "b") as calls:
        assert [call.begun.is_set() for call in calls] == [True, True, False, False]
        calls[0].over.set()
        async with asyncio.timeout(BOUND_S):
            await calls[3].begun.wait()
        assert not calls[2].begun.is_set()
        calls[3].over.set()
        async with asyncio.timeout(BOUND_S):
            await calls[2].begun.wait()


async def test_a_call_that_waits_is_cancelled_at_once_and_leaves_nothing_behind() -> None:
    async with calls_of(Slots(ProviderLimit(1)), "a", "b", "a") as calls:
        calls[1].env.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(calls[1].task, BOUND_S)
        assert not calls[1].begun.is_set()
        calls[0].over.set()
        async with asyncio.timeout(BOUND_S):
            await calls[2].begun.wait()


async def test_a_call_that_is_cancelled_as_it_gets_its_slot_gives_it_back() -> None:
    async with calls_of(Slots(ProviderLimit(1)), "a", "b", "a") as calls:
        calls[0].over.set()
        calls[1].env.cancel()
        async with asyncio.timeout(BOUND_S):
            await calls[2].begun.wait()


async def test_a_worker_that_stops_lets_go_of_the_calls_that_wait() -> None:
    async with calls_of(Slots(ProviderLimit(1)), "a", "b") as calls:
        calls[1].env.worker_shutdown()
        with pytest.raises(ApplicationError) as waits:
            await asyncio.wait_for(calls[1].task, BOUND_S)
        assert (waits.value.type, waits.value.non_retryable) == (ErrorType.SLOT_WAITS, False)
        assert not calls[0].task.done()


async def test_a_call_that_waits_too_long_is_offered_again() -> None:
    async with calls_of(Slots(ProviderLimit(1), wait_s=0.1), "a", "b") as calls:
        with pytest.raises(ApplicationError) as waits:
            await asyncio.wait_for(calls[1].task, BOUND_S)
        assert waits.value.type == ErrorType.SLOT_WAITS


async def test_no_more_calls_start_in_a_second_than_the_limit_says() -> None:
    loop, slots = asyncio.get_running_loop(), Slots(ProviderLimit(20, 4))
    at = loop.time()
    async with calls_of(slots, *"abcdef") as calls:
        async with asyncio.timeout(BOUND_S):
            await asyncio.gather(*(call.begun.wait() for call in calls[:4]))
            await calls[5].begun.wait()
    assert loop.time() - at >= 0.99


async def test_a_slot_beyond_the_half_of_a_key_is_kept_for_a_key_that_was_just_here() -> None:
    slots = Slots(ProviderLimit(4), grace_s=1)
    async with calls_of(slots, *"aaab", *"aaaa") as calls:
        assert [call.begun.is_set() for call in calls] == [True] * 4 + [False] * 4
        calls[3].over.set()
        await calls[3].task
        async with calls_of(slots, "a") as [last]:
            with pytest.raises(ApplicationError) as waits:  # it makes room for another one
                await asyncio.wait_for(last.task, BOUND_S)
        assert waits.value.type == ErrorType.SLOT_WAITS
        assert not calls[4].begun.is_set()
        async with asyncio.timeout(BOUND_S):  # nobody comes, so the longest wait is over
            await calls[4].begun.wait()
        assert not any(call.begun.is_set() for call in calls[5:])


async def test_a_newcomer_gets_a_slot_that_was_kept_and_the_flood_waits() -> None:
    slots = Slots(ProviderLimit(4), grace_s=BOUND_S)
    async with calls_of(slots, *"aaab", "a") as calls:
        calls[3].over.set()
        await calls[3].task
        assert not calls[4].begun.is_set()
        async with calls_of(slots, "b") as [newcomer]:
            async with asyncio.timeout(BOUND_S):
                await newcomer.begun.wait()
            assert not calls[4].begun.is_set()
        assert not calls[4].begun.is_set(), "kept a second time"
        calls[0].over.set()
        calls[1].over.set()
        async with asyncio.timeout(BOUND_S):
            await calls[4].begun.wait()


async def test_a_key_that_is_alone_keeps_all_slots_and_its_calls_wait_here() -> None:
    async with calls_of(Slots(ProviderLimit(2), grace_s=BOUND_S), *"aaaa") as calls:
        for first, later in ((0, 2), (1, 3)):
            calls[first].over.set()
            async with asyncio.timeout(BOUND_S):
                await calls[later].begun.wait()
