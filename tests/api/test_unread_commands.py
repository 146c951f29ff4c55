"""A command that no worker has read is known to every server, also to one that has not sent it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from journal.sqlite import SqliteJournal
from settings import Settings
from tests.api.serving import Api, completed, serving, started
from tests.api.test_commands import outcome, sent, submitted


@pytest.fixture
async def restarted(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """A server that remembers nothing."""
    async with serving(Settings(), journal, api_temporal) as served:
        yield served


async def test_a_command_that_came_while_the_run_ended_is_refused_after_a_restart_too(
    api: Api, restarted: Api
) -> None:
    run = await submitted(api)
    command = await sent(api, run, "redirect", json={"message": "one more thing"})
    await api.journal.append(run, [started(), completed()])
    for server in (api, restarted):
        view = await outcome(server, run, command, wait=0)
        assert (view["kind"], view["state"], view["reason"]) == ("redirect", "refused", "run-ended")


async def test_a_command_that_waits_for_a_worker_is_accepted_after_a_restart_too(
    api: Api, api_temporal: Client, restarted: Api
) -> None:
    run = await submitted(api)
    await api_temporal.get_workflow_handle(run).signal("pause", "no command at all")
    command = await sent(api, run, "cancel")
    assert (await outcome(restarted, run, command, wait=0))["state"] == "accepted"
    unknown = await restarted.http.get(f"/v1/runs/{run}/commands/nobody-sent-it")
    assert unknown.status_code == 404
