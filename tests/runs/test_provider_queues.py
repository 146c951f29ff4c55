"""One provider's trouble stalls nobody else's run: limits, queues and the end of a worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput, RunResult, RunStatus, ToolSpec
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.runtime.settings import BadSettings, Settings, load_settings
from relayline.worker import build_worker
from relayline.workflows.agent_run import AgentRun
from tests.activities.model.providers.stand_in import StandIn, serving

pytestmark = pytest.mark.slow

Handle = WorkflowHandle[AgentRun, RunResult]
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
SLEEP = ToolSpec(name="sleep", parameters={"type": "object"})


class Shop:
    """A worker with a stand-in for its remote providers."""

    def __init__(self, temporal: Client, journal: SqliteJournal, stand_in: StandIn) -> None:
        self._temporal = temporal
        self.journal = journal
        self.stand_in = stand_in

    @asynccontextmanager
    async def at_work(self, **settings: Any) -> AsyncIterator[None]:
        config = ProviderConfig(compatible_base_url=self.stand_in.url)
        async with (
            aclosing(provider_for(config)) as providers,
            build_worker(self._temporal, self.journal, providers, Settings(**settings)),
        ):
            yield

    async def start(self, model: str, said: str = "hi", key: str = "") -> Handle:
        run_id = f"run_{uuid4().hex}"
        agent = AgentSpec(name="tested", model=model, tools=(SLEEP,))
        given = RunInput(run_id=run_id, agent=agent, input=said)
        return await self._temporal.start_workflow(
            AgentRun.run,
            given,
            id=run_id,
            task_queue=TASK_QUEUE,
            priority=Priority(fairness_key=key or None),
        )

    async def asked(self, times: int) -> None:
        """Wait until the provider was asked that often."""
        async with asyncio.timeout(20):
            while len(self.stand_in.requests) < times:
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
async def imported(temporal: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The provider's library, which the first call imports while all others wait."""
    journal = SqliteJournal(tmp_path_factory.mktemp("imported") / "journal.db")
    async with serving() as stand_in:
        shop = Shop(temporal, journal, stand_in)
        async with shop.at_work(drain_s=0.1):
            await (await shop.start("compatible:text")).result()
    await journal.close()


@pytest.fixture
async def shop(
    temporal: Client, imported: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    journal = SqliteJournal(tmp_path / "journal.db")
    async with serving() as stand_in:
        monkeypatch.setenv("OLLAMA_BASE_URL", stand_in.url)
        yield Shop(temporal, journal, stand_in)
    await journal.close()


def stuck_in(shop: Shop) -> list[str]:
    """What was said in the calls that hang."""
    pings = [request for request in shop.stand_in.requests if request["model"] == "pings"]
    return [request["messages"][-1]["content"] for request in pings]


def script(*items: object) -> str:
    return json.dumps({"rehearse": items})


async def test_runs_of_other_providers_do_not_notice_one_that_hangs(shop: Shop) -> None:
    async with shop.at_work(provider_limits="compatible=2", max_model_calls=2, drain_s=0.1):
        stuck = {said: await shop.start("compatible:pings", said) for said in "abcd"}
        await shop.asked(2)
        told = script({"call": "sleep", "arguments": {"seconds": 0}}, {"say": "done"})
        others = [
            await shop.start("rehearsal", told),
            await shop.start("ollama:text"),
            await shop.start("rehearsal", told),
        ]
        async with asyncio.timeout(20):
            ended = [await run.result() for run in others]
        assert [run.preview for run in ended] == ["done", "Hello, you", "done"]
        begun = stuck_in(shop)
        assert len(begun) == 2, "the limit was not kept"
        # those that wait for a place first: one that is given up would let the next begin
        for said in sorted(stuck, key=begun.__contains__):
            await stuck[said].signal(AgentRun.cancel)
            async with asyncio.timeout(20):
                assert (await stuck[said].result()).status is RunStatus.CANCELLED
        assert stuck_in(shop) == begun, "a call that had not begun was begun to be cancelled"


async def test_no_more_calls_begin_in_a_second_than_the_provider_is_to_see(shop: Shop) -> None:
    async with shop.at_work(provider_limits="compatible=20@4/s", drain_s=0.1):
        runs = [await shop.start("compatible:text") for _ in range(16)]
        async with asyncio.timeout(30):
            ended = [await run.result() for run in runs]
    assert {run.preview for run in ended} == {"Hello, you"}
    at = sorted(shop.stand_in.at)
    assert len(at) == 16
    assert at[-1] - at[0] >= 2, "4 at once and 4 in each of the three seconds after"


async def test_a_model_that_no_provider_has_fails_at_once(shop: Shop) -> None:
    async with shop.at_work(drain_s=0.1):
        run = await shop.start("acme:x")
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(run.result(), 20)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "unknown-model"


async def test_a_worker_that_stops_finishes_its_model_call_and_begins_nothing(shop: Shop) -> None:
    async with shop.at_work(drain_s=10):
        speaks = await shop.start("rehearsal", script({"tokens": 40, "every_ms": 25}))
        async with asyncio.timeout(20):
            while not await shop.journal.read(EVERY, speaks.id, 2):
                await asyncio.sleep(0.02)
    late = await shop.start("rehearsal")
    types = [event.type for event in await shop.journal.read(EVERY, speaks.id)]
    assert types[-1] == "message.completed"
    assert "attempt.superseded" not in types
    assert await shop.journal.head(EVERY, late.id) is None
    async with shop.at_work(drain_s=0.1):
        assert (await asyncio.wait_for(speaks.result(), 20)).status is RunStatus.COMPLETED
        assert (await asyncio.wait_for(late.result(), 20)).status is RunStatus.COMPLETED
    stored = await shop.journal.read(EVERY, speaks.id)
    completed = [it for it in stored if it.type == "message.completed"]
    assert [event.attempt for event in completed] == [1]


def test_limits_that_are_none_are_told_before_a_worker_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RELAYLINE_PROVIDER_LIMITS", "openai=many")
    with pytest.raises(BadSettings, match=r"PROVIDER_LIMITS is 'openai=many': .* is not a limit"):
        load_settings()


async def test_a_key_that_fills_a_provider_lets_another_one_begin_next(shop: Shop) -> None:
    async with shop.at_work(provider_limits="compatible=2", drain_s=0.1):
        flood = {
            f"flood {it}": await shop.start("compatible:pings", f"flood {it}", "a")
            for it in range(3)
        }
        await shop.asked(2)
        other = await shop.start("compatible:pings", "other", "b")
        await taken(other)
        begun = stuck_in(shop)
        first = flood[begun[0]]
        await first.signal(AgentRun.cancel)
        await shop.asked(3)
        assert stuck_in(shop) == [*begun, "other"]
        for run in {*flood.values(), other} - {first}:
            await run.signal(AgentRun.cancel)
        async with asyncio.timeout(20):
            ended = [await run.result() for run in (*flood.values(), other)]
        assert {run.status for run in ended} == {RunStatus.CANCELLED}
        assert len(stuck_in(shop)) == 3, "the call that waited was cancelled before it began"


async def taken(run: Handle) -> None:
    """Wait until a worker has the run's model call."""
    async with asyncio.timeout(20):
        while True:
            pending = (await run.describe()).raw_description.pending_activities
            if any(it.state == STARTED for it in pending):
                return
            await asyncio.sleep(0.02)
