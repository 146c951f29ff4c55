"""Command ids: the sender's own or a key's, and the same one twice is one command."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from relayline.contracts.commands import CommandKind
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import CommandAccepted, CommandRefused
from tests.api.serving import Api, completed, run_id, signals, started
from tests.api.test_commands import sent, submitted


async def test_one_key_is_one_command_of_its_kind(api: Api) -> None:
    run = await submitted(api)
    key = {"Idempotency-Key": "once"}
    first = await sent(api, run, "pause", headers=key)
    assert await sent(api, run, "pause", headers=key) == first
    assert await sent(api, run, "cancel", headers=key) != first


async def test_a_given_id_is_the_receipts_and_is_sent_once(api: Api, api_temporal: Client) -> None:
    run = await submitted(api)
    body = {"message": "look at b.txt", "command_id": "Op_1.a:b-c"}
    for _ in range(3):
        assert await sent(api, run, "redirect", json=body) == "Op_1.a:b-c"
    assert [name for name, _ in await signals(api_temporal, run)] == ["redirect"]
    await api_temporal.get_workflow_handle(run).terminate()
    assert await sent(api, run, "redirect", json=body) == "Op_1.a:b-c"
    other = await api.http.post(f"/v1/runs/{run}/redirect", json={**body, "command_id": "Op_2"})
    assert (other.status_code, other.json()["run_status"]) == (409, "terminated")
    assert other.json()["type"] == "urn:relayline:problem:run-ended"


@pytest.mark.parametrize("fact", ["accepted", "outcome"])
async def test_a_command_that_the_run_has_had_gets_its_receipt_again(
    api: Api, lonely_api: Api, api_temporal: Client, fact: str
) -> None:
    body = (
        CommandAccepted(command_id="c1", kind=CommandKind.REDIRECT)
        if fact == "accepted"
        else CommandRefused(command_id="c1", kind=CommandKind.REDIRECT, reason="no")
    )
    had = NewEvent(key=f"command/c1/{fact}", step=1, body=body)
    run, ended = await submitted(api), run_id()
    await api.journal.append(run, [started(), had])
    await api.journal.append(ended, [started(), had, completed()])
    again = {"message": "look at b.txt", "command_id": "c1"}
    for server in (api, lonely_api):
        for target in (run, ended):
            assert await sent(server, target, "redirect", json=again) == "c1"
    assert await signals(api_temporal, run) == []
    answer = await api.http.post(f"/v1/runs/{ended}/pause", json={"command_id": "c2"})
    assert (answer.status_code, answer.json()["run_status"]) == (409, "completed")


async def test_an_id_of_another_kind_of_command_is_refused(api: Api) -> None:
    run = await submitted(api)
    had = CommandAccepted(command_id="c1", kind=CommandKind.PAUSE)
    await api.journal.append(run, [started(), NewEvent(key="command/c1/accepted", body=had)])
    await sent(api, run, "pause", json={"command_id": "c2"})
    for known in ("c1", "c2"):
        answer = await api.http.post(f"/v1/runs/{run}/cancel", json={"command_id": known})
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["type"] == "urn:relayline:problem:command-id-reused"
        assert problem["field"] == "command_id"
        assert "pause" in problem["detail"]


async def test_an_id_and_a_key_together_are_refused(api: Api) -> None:
    answer = await api.http.post(
        f"/v1/runs/{run_id()}/pause", json={"command_id": "c"}, headers={"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "command_id")
