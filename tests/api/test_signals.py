"""A command that no worker has read is known to every server, also to one that has not sent it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.serving import Api, completed, serving, signals, started
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


async def test_a_repeated_command_that_came_while_the_run_ended_gets_its_receipt_everywhere(
    api: Api, restarted: Api
) -> None:
    run = await submitted(api)
    by_id, by_key = {"json": {"command_id": "c1"}}, {"headers": {"Idempotency-Key": "k"}}
    commands = [await sent(api, run, "pause", **named) for named in (by_id, by_key)]
    await api.journal.append(run, [started(), completed()])
    for server in (api, restarted):
        again = [await sent(server, run, "pause", **named) for named in (by_id, by_key)]
        assert again == commands
    other = await restarted.http.post(f"/v1/runs/{run}/pause", json={"command_id": "c2"})
    assert other.status_code == 409


async def test_an_id_of_another_kind_of_command_is_refused_everywhere(
    api: Api, restarted: Api, api_temporal: Client
) -> None:
    run = await submitted(api)
    await sent(api, run, "pause", json={"command_id": "c1"})
    for server in (api, restarted):
        answer = await server.http.post(f"/v1/runs/{run}/cancel", json={"command_id": "c1"})
        assert answer.status_code == 422, answer.text
    assert [name for name, _ in await signals(api_temporal, run)] == ["pause"]


async def test_an_id_that_no_journal_can_hold_is_unknown_however_the_command_came(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api)
    signal = {"command_id": "a\0b", "message": "go on"}
    await api_temporal.get_workflow_handle(run).signal("redirect", signal)
    answer = await api.http.get(f"/v1/runs/{run}/commands/a%00b")
    assert (answer.status_code, answer.json()["type"]) == (
        404,
        "urn:relayline:problem:unknown-command",
    )


@pytest.mark.parametrize("encoding", ["json/plain", "binary/sealed"])
async def test_a_signal_that_nobody_can_decode_keeps_no_command_from_being_found(
    api: Api, restarted: Api, api_temporal: Client, encoding: str
) -> None:
    run = await submitted(api)
    payload = Payload(metadata={"encoding": encoding.encode()}, data=b'{"by": "\\ud800"}')
    await api_temporal.get_workflow_handle(run).signal("pause", RawValue(payload))
    command = await sent(api, run, "cancel", json={"command_id": "c1"})
    assert (await outcome(restarted, run, command, wait=0))["state"] == "accepted"
    unknown = await restarted.http.get(f"/v1/runs/{run}/commands/nobody-sent-it")
    assert unknown.status_code == 404


async def test_no_command_is_said_to_be_unknown_while_temporal_is_away(
    api: Api, lonely_api: Api
) -> None:
    run = await submitted(api)
    await api.journal.append(run, [started()])
    command = await sent(api, run, "pause")
    answer = await lonely_api.http.get(f"/v1/runs/{run}/commands/{command}")
    assert (answer.status_code, answer.headers["retry-after"].isdigit()) == (503, True)


async def test_a_command_that_waits_for_a_worker_is_accepted_after_a_restart_too(
    api: Api, api_temporal: Client, restarted: Api
) -> None:
    run = await submitted(api)
    await api_temporal.get_workflow_handle(run).signal("pause", "no command at all")
    command = await sent(api, run, "cancel")
    assert (await outcome(restarted, run, command, wait=0))["state"] == "accepted"
    unknown = await restarted.http.get(f"/v1/runs/{run}/commands/nobody-sent-it")
    assert unknown.status_code == 404
