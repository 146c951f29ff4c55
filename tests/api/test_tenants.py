"""Whoever may see one tenant's runs finds no others."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from relayline.api.errors import UnknownRun
from relayline.api.runs.inbox import InboxFilter
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunPaused
from relayline.journal.table import EVERY, RunFilter
from tests.api.serving import Api, started
from tests.api.test_runs import submitted


async def never() -> Message:
    await asyncio.sleep(3600)
    raise AssertionError


async def test_each_reader_of_runs_passes_its_tenant_on(api: Api) -> None:
    label = {"reads": "tenants"}
    ours = await submitted(api, metadata={**label, "tenant": "ours"})
    theirs = await submitted(api, metadata={**label, "tenant": "theirs"})
    for run in (ours, theirs):
        await api.journal.append(run, [started(), NewEvent(key="0/p", body=RunPaused())])
    services, wanted = api.services, RunFilter(metadata=label)
    page = await services.listing.page("ours", wanted, 10)
    assert [item.run_id for item in page.runs] == [ours]
    assert (await services.listing.counts("ours", wanted)).total == 1
    assert (await services.listing.counts(EVERY, wanted)).total == 2
    inbox = await services.inbox.page("ours", InboxFilter(), 100)
    assert [item.run_id for item in inbox.items] == [ours]
    assert (await services.runs.find(never, "ours", ours, 0)).run_id == ours
    assert '"run.queued"' in await services.events.page("ours", ours, 0, 10)
    assert (await services.progress.current("ours", ours)).run_id == ours
    with pytest.raises(UnknownRun):
        await services.runs.find(never, "ours", theirs, 0)
    with pytest.raises(UnknownRun):
        await services.events.page("ours", theirs, 0, 10)
    with pytest.raises(UnknownRun):
        await services.progress.current("ours", theirs)


async def test_a_run_without_a_tenant_of_its_own_belongs_to_the_default_one(api: Api) -> None:
    run = await submitted(api)
    assert (await api.services.runs.find(never, "default", run, 0)).run_id == run
    with pytest.raises(UnknownRun):
        await api.services.runs.find(never, "ours", run, 0)
