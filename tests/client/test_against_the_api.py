"""Both clients against the API itself, with a real Temporal and a real journal behind it."""

from __future__ import annotations

import json

import pytest

from relayline.client import Conflict, InvalidRequest, NotFound
from relayline.contracts.runs import RunStatus
from relayline.journal.sqlite.journal import SqliteJournal
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


async def test_what_the_server_offers_is_read(api: Api, both: Caller) -> None:
    async with both.open(str(api.http.base_url)) as client:
        agents = await both.call(client.agents)
        assert [agent.name for agent in agents] == ["assistant", "brief"]
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
