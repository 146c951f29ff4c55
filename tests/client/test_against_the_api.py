"""Both clients against the API itself, with a real Temporal and a real journal behind it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from relayline.client import Conflict, Expired, InvalidRequest, NotFound
from relayline.contracts.events import RunQueued
from relayline.contracts.runs import RunStatus
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.asking import asks
from tests.api.conftest import api, api_temporal, journal
from tests.api.serving import Api, ended_run, envelopes, run_id, started
from tests.client.both import Caller

__all__ = ["api", "api_temporal", "journal"]


async def test_stream_and_pages_are_the_journal(
    api: Api, journal: SqliteJournal, both: Caller
) -> None:
    run = await ended_run(journal, 1200)
    async with both.open(str(api.http.base_url)) as client:
        stream = client.run(run).stream()
        streamed = [event async for event in both.items(stream)]
        paged = [event async for event in both.items(client.run(run).events())]
        assert [event async for event in both.items(client.run(run).stream(after=1203))] == []
    whole = await envelopes(journal, run)
    assert [json.loads(event.raw) for event in streamed] == whole
    assert [event.data for event in paged] == [event["data"] for event in whole]
    assert (stream.status, stream.output) == (RunStatus.COMPLETED, "done")


async def test_a_submission_with_the_same_key_is_the_same_run(api: Api, both: Caller) -> None:
    key = run_id()
    async with both.open(str(api.http.base_url)) as client:
        first = await both.call(client.submit, "brief", "hi", idempotency_key=key)
        again = await both.call(client.submit, "brief", "hi", idempotency_key=key)
        assert first.id == again.id
        with pytest.raises(InvalidRequest, match="Idempotency-Key") as caught:
            await both.call(client.submit, "brief", "bye", idempotency_key=key)
        assert caught.value.type == "idempotency-key-reused"
        view = await both.call(first.get)
        assert (view.status, view.agent) == (RunStatus.QUEUED, "brief")
        receipt = await both.call(first.cancel, "enough", command_id="mine", by="ann")
        assert receipt.command_id == "mine"
        assert (await both.call(first.command, "mine")).state == "accepted"


async def test_a_run_waits_for_its_time_in_the_place_that_it_was_given(
    api: Api, journal: SqliteJournal, both: Caller
) -> None:
    async with both.open(str(api.http.base_url)) as client:
        at = datetime.now(UTC) + timedelta(hours=1)
        for when in ({"start_at": at}, {"delay_s": 3600}):
            run = await both.call(
                client.submit, "brief", "hi", priority=1, fairness_key="team-7", **when
            )
            assert (await both.call(run.get)).status is RunStatus.SCHEDULED
            queued = (await journal.read(EVERY, run.id))[0].body()
            assert isinstance(queued, RunQueued)
            assert (queued.priority, queued.start_at is None) == (1, False)
        with pytest.raises(InvalidRequest, match="start_at"):
            await both.call(client.submit, "brief", "hi", start_at="tomorrow")


async def test_an_ended_run_is_erased_and_an_open_one_is_not(
    api: Api, journal: SqliteJournal, both: Caller
) -> None:
    run = await ended_run(journal)
    async with both.open(str(api.http.base_url)) as client:
        for _ in range(2):
            await both.call(client.run(run).erase)
        with pytest.raises(NotFound):
            await both.call(client.run(run).get)
        with pytest.raises(Expired) as gone:
            await both.call(client.run(run).pause)
        assert gone.value.type == "run-erased"
        still_open = await both.call(client.submit, "brief", "hi")
        with pytest.raises(Conflict) as refused:
            await both.call(still_open.erase)
        assert refused.value.type == "run-open"


async def test_what_the_server_offers_is_read(api: Api, both: Caller) -> None:
    async with both.open(str(api.http.base_url)) as client:
        agents = await both.call(client.agents)
        assert [agent.name for agent in agents] == ["assistant", "brief", "choosy"]
        assert (await both.call(client.health)).status == "ok"
        assert (await both.call(client.ready)).status == "ok"


async def test_refusals_have_their_kinds(api: Api, journal: SqliteJournal, both: Caller) -> None:
    ended, unknown = await ended_run(journal), run_id()
    async with both.open(str(api.http.base_url)) as client:
        with pytest.raises(NotFound, match=unknown):
            await both.call(client.run(unknown).get)
        with pytest.raises(NotFound):
            [event async for event in both.items(client.run(unknown).stream())]
        with pytest.raises(Conflict) as late:
            await both.call(client.run(ended).pause)
        assert late.value.type == "run-ended"
        fresh = await both.call(client.submit, "brief", "hi")
        with pytest.raises(InvalidRequest) as ahead:
            [event async for event in both.items(fresh.stream(after=99))]
        assert ahead.value.type == "cursor-ahead"
        with pytest.raises(InvalidRequest) as wrong:
            await both.call(client.submit, "brief", "hi", limits={"max_steps": 0})
        assert wrong.value.field == "limits.max_steps"


async def test_lists_counts_and_the_inbox_are_read_by_filter(api: Api, both: Caller) -> None:
    label = {"client": run_id()}
    async with both.open(str(api.http.base_url)) as client:
        runs = [await both.call(client.submit, "brief", "hi", metadata=label) for _ in range(2)]
        await api.journal.append(runs[0].id, [started(), *asks()])
        found = [item async for item in both.items(client.runs(metadata=label, open=True))]
        assert [item.run_id for item in found] == [runs[1].id, runs[0].id]
        page = await both.call(client.list, status="waiting", metadata=label, q="HI")
        assert [item.run_id for item in page.runs] == [runs[0].id]
        counts = await both.call(client.counts, metadata=label)
        assert (counts.total, counts.by_status) == (
            2,
            {RunStatus.QUEUED: 1, RunStatus.WAITING: 1},
        )
        inbox = await both.call(client.inbox, kind=["input", "approval"], limit=100)
        mine = [item for item in inbox.items if item.run_id == runs[0].id]
        assert [item.kind for item in mine] == ["approval", "input"]
        assert mine[1].question == "which one?"


async def test_a_batch_is_submitted_looked_at_and_cancelled(api: Api, both: Caller) -> None:
    key, bodies = run_id(), [{"agent": "brief", "input": "hi"}, {"agent": "nobody", "input": "x"}]
    async with both.open(str(api.http.base_url)) as client:
        first = await both.call(
            client.submit_batch, bodies, priority=2, metadata={"a": "b"}, idempotency_key=key
        )
        again = await both.call(
            client.submit_batch, bodies, priority=2, metadata={"a": "b"}, idempotency_key=key
        )
        assert first == again
        assert [it.index for it in first.accepted] == [0]
        assert [(it.index, it.problem["field"]) for it in first.rejected] == [(1, "agent")]
        view = await both.call(client.batch, first.batch_id)
        assert (view.total, view.ended, view.by_status) == (1, False, {RunStatus.QUEUED: 1})
        page = await both.call(client.batches, limit=1)
        assert [it.batch_id for it in page.batches] == [first.batch_id]
        receipt = await both.call(client.cancel_batch, first.batch_id, command_id="mine", by="ann")
        assert receipt.command_id == "mine"
        with pytest.raises(NotFound):
            await both.call(client.batch, "batch_unknown")


async def test_a_schedule_is_made_looked_at_paused_and_deleted(api: Api, both: Caller) -> None:
    schedule, body = f"s-{run_id()}"[:40], {"agent": "brief", "input": "hi"}
    async with both.open(str(api.http.base_url)) as client:
        made = await both.call(
            client.create_schedule,
            body,
            schedule_id=schedule,
            cron="0 8 * * 1",
            timezone="Asia/Tokyo",
        )
        assert (made.schedule_id, made.overlap, len(made.next)) == (schedule, "skip", 5)
        assert {moment.hour for moment in made.next} == {23}, "8:00 in Tokyo, in UTC"
        assert (await both.call(client.pause_schedule, schedule)).paused
        assert not (await both.call(client.pause_schedule, schedule, paused=False)).paused
        await both.call(client.schedules, limit=1)
        with pytest.raises(Conflict):
            await both.call(client.create_schedule, body, schedule_id=schedule, every_s=60)
        await both.call(client.trigger_schedule, schedule)
        await both.call(client.delete_schedule, schedule)
        with pytest.raises(NotFound):
            await both.call(client.schedule, schedule)
