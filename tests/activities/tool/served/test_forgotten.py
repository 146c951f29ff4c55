"""What a run has open to MCP servers is closed when it ends."""

from __future__ import annotations

import asyncio
import logging

import pytest
from temporalio.testing import ActivityEnvironment

from relayline.activities.record import RecordActivities
from relayline.contracts.calls import RecordRequest
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import EventBody, RunCompleted, RunPaused
from relayline.journal.port import Journal
from tests.activities.fake_servers import FakeServers

RUN = "run_0123456789abcdef"


async def recorded(servers: FakeServers, journal: Journal, body: EventBody) -> None:
    records = RecordActivities(journal, None, servers)
    outbox = Outbox(facts=(NewEvent(key=body.type, body=body),))
    request = RecordRequest(run_id=RUN, epoch=0, outbox=outbox)
    await ActivityEnvironment().run(records.record_facts, request)
    await asyncio.sleep(0)


async def test_with_the_last_facts_of_a_run_its_connections_are_forgotten(
    journal: Journal,
) -> None:
    servers = FakeServers()
    await recorded(servers, journal, RunPaused())
    assert servers.forgotten == []
    await recorded(servers, journal, RunCompleted(output="done"))
    assert servers.forgotten == [RUN]


async def test_a_connection_that_can_t_be_closed_fails_no_run(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(FakeServers):
        async def forget(self, run_id: str) -> None:
            raise OSError("stuck")

    with caplog.at_level(logging.WARNING):
        await recorded(Stuck(), journal, RunCompleted(output="done"))
        await asyncio.sleep(0)
    assert "connections of a run were not closed" in caplog.text
