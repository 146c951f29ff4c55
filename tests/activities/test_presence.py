"""How often a call heartbeats, when it does so at once, and who is told of a stop."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.presence import STOP_TIMES, Presence
from relayline.activities.record import RecordActivities
from relayline.contracts.calls import RecordRequest
from relayline.contracts.commands import CommandKind
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import CommandAccepted
from relayline.journal.beats import Attempted
from relayline.journal.port import Holder, Journal

RUN = "run_0123456789abcdef"
BOUND_S = 15


class Call:
    """A call at work, and its heartbeats."""

    def __init__(self, presence: Presence, timeout_s: float = 60) -> None:
        self.beats = 0
        self.holder: Holder | None = None
        self._presence = presence
        self._env = ActivityEnvironment()
        timeout = timedelta(seconds=timeout_s)
        self._env.info = dataclasses.replace(self._env.info, heartbeat_timeout=timeout)
        self._env.on_heartbeat = self._beat

    def _beat(self, *_: Any) -> None:
        self.beats += 1

    @asynccontextmanager
    async def running(self, run_id: str = RUN) -> AsyncIterator[Call]:
        begun, over = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            async with self._presence.at_work(run_id, "call") as self.holder:
                begun.set()
                await over.wait()

        task = asyncio.ensure_future(self._env.run(work))
        waiting = asyncio.ensure_future(begun.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waiting.cancel()
            task.result()
        yield self
        over.set()
        await task

    async def beaten(self, times: int) -> None:
        async with asyncio.timeout(BOUND_S):
            while self.beats < times:
                await asyncio.sleep(0.005)


async def test_a_call_heartbeats_at_a_third_of_its_own_time_out() -> None:
    presence = Presence()
    async with Call(presence, 60).running() as rare, Call(presence, 0.6).running() as often:
        await often.beaten(3)
        assert rare.beats == 0


async def test_a_stop_in_its_run_makes_a_call_heartbeat_at_once_and_a_few_times_more() -> None:
    presence = Presence()
    async with Call(presence).running() as mine, Call(presence).running("run_other") as other:
        presence.heed(able=True, told=[RUN], stood=False)
        await mine.beaten(1 + STOP_TIMES)
        assert other.beats == 0
        presence.tell("run_other")
        await other.beaten(1)


async def test_a_call_that_begins_just_after_the_word_heartbeats_as_well() -> None:
    presence = Presence()
    presence.heed(able=True, told=[RUN], stood=False)
    async with Call(presence).running() as call:
        await call.beaten(1)


async def test_a_worker_that_stood_still_asks_for_all_its_calls() -> None:
    presence = Presence()
    async with Call(presence).running() as one, Call(presence).running("run_other") as other:
        presence.heed(able=True, told=(), stood=True)
        await one.beaten(1)
        await other.beaten(1)


@pytest.mark.slow
async def test_a_worker_that_can_t_beat_begins_nothing_and_its_calls_ask_often() -> None:
    presence = Presence()
    async with Call(presence).running() as call:
        presence.heed(able=False, told=(), stood=False)
        await call.beaten(STOP_TIMES + 2)
        with pytest.raises(ApplicationError) as refused:
            async with Call(presence).running():
                pass
        assert refused.value.type == ErrorType.JOURNAL_UNAVAILABLE
        assert not refused.value.non_retryable
        presence.heed(able=True, told=(), stood=False)
        async with Call(presence).running():
            pass


async def test_a_call_waits_for_a_worker_that_has_just_woken_up_to_beat() -> None:
    presence = Presence()
    presence.heed(able=False, told=(), stood=True)

    async def beat() -> None:
        await asyncio.sleep(0.1)
        presence.heed(able=True, told=(), stood=False)

    beating = asyncio.create_task(beat())
    async with Call(presence).running():
        assert beating.done()


async def test_a_call_names_its_holder_and_is_released_at_its_end() -> None:
    released: list[Attempted] = []
    presence = Presence("1@host/a", release=released.append)
    async with Call(presence).running() as call:
        assert presence.busy
        assert call.holder == Holder("1@host/a", "test", b"test")
        assert not released
    assert released == [Attempted(RUN, "call", 1)]
    assert not presence.busy


@pytest.mark.parametrize(
    ("kind", "stops", "told"),
    [
        (CommandKind.CANCEL, False, True),
        (CommandKind.REDIRECT, False, True),
        (CommandKind.PAUSE, False, True),
        (CommandKind.RESUME, False, False),
        (None, True, True),
        (None, False, False),
    ],
)
async def test_the_workers_are_told_of_what_stops_calls(
    journal: Journal, kind: CommandKind | None, *, stops: bool, told: bool
) -> None:
    runs: list[str] = []
    records = RecordActivities(journal, Presence("w", tell=runs.append))
    body = CommandAccepted(command_id="c", kind=kind, by="me") if kind else None
    facts = (NewEvent(key="command/c/accepted", body=body),) if body else ()
    request = RecordRequest(run_id=RUN, epoch=0, outbox=Outbox(facts=facts), stops=stops)
    await ActivityEnvironment().run(records.record_facts, request)
    assert runs == ([RUN] if told else [])
