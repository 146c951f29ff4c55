"""Commands that came past the API: their events say so, whoever they claim to be from."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.client import Client

from relayline.api.temporal.gateway import Gateway
from relayline.contracts.access.proofs import HEADER
from relayline.contracts.commands import Redirect
from tests.api.auth.keyed import bearer, headers_of, issued
from tests.api.serving import Api, envelopes
from tests.resetting import FIRST_TASK, reset_to

SLOW = json.dumps({"rehearse": [{"say": "one two", "every_ms": 60_000}]})
Facts = list[dict[str, Any]]


async def submitted(api: Api, headers: dict[str, str]) -> str:
    body = {"agent": "assistant", "input": SLOW}
    answer = await api.http.post("/v1/runs", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    return run


async def facts_with(api: Api, run: str, type_: str, command_id: str = "") -> Facts:
    """All events of the run, once one is there of that type and command."""
    async with asyncio.timeout(60):
        while True:
            found = await envelopes(api.journal, run)
            for it in found:
                if it["type"] == type_ and command_id in {"", it["data"].get("command_id")}:
                    return found
            await asyncio.sleep(0.05)


def senders(facts: Facts, command_id: str) -> list[tuple[str, str | None, bool]]:
    """Who the receipt and the outcome of the command say has sent it."""
    return [
        (it["data"]["by"], it["data"].get("on_behalf_of"), it["data"].get("verified", True))
        for it in facts
        if it["data"].get("command_id") == command_id
    ]


async def proof_of(client: Client, run: str) -> str:
    """The proof of the first signal of the run."""
    history = await client.get_workflow_handle(run).fetch_history()
    for event in history.events:
        signal = event.workflow_execution_signaled_event_attributes
        if HEADER in signal.header.fields:
            text: str = json.loads(signal.header.fields[HEADER].data)
            return text
    raise AssertionError("no signal has a proof")


@pytest.mark.usefixtures("working")
async def test_only_what_the_api_has_sent_is_told_as_the_senders_own(
    keyed_api: Api, api_temporal: Client
) -> None:
    headers = bearer(await issued(keyed_api.journal, name="ops"))
    run = await submitted(keyed_api, headers)
    url, body = f"/v1/runs/{run}/redirect", {"message": SLOW, "by": "ann", "command_id": "api"}
    assert (await keyed_api.http.post(url, json=body, headers=headers)).status_code == 202
    await facts_with(keyed_api, run, "command.applied", "api")

    outsider, gateway = api_temporal.get_workflow_handle(run), Gateway(api_temporal)
    typed = {"command_id": "typed", "by": "ops", "message": SLOW, "proof": "x", "verified": True}
    await outsider.signal("redirect", typed)
    for command_id, proof in (
        ("copied", await proof_of(api_temporal, run)),
        ("made-up", "00" * 24),
        ("odd", "\u00e9" * 500),
    ):
        forged = Redirect(command_id=command_id, by="ops", on_behalf_of="ann", message=SLOW)
        assert await gateway.signal(run, forged, proof)
        await facts_with(keyed_api, run, "command.applied", command_id)
    await outsider.signal("cancel", {"command_id": "end", "reason": "no"})
    facts = await facts_with(keyed_api, run, "run.cancelled")

    assert senders(facts, "api") == [("ops", "ann", True)] * 2
    for command_id in ("typed", "copied", "made-up", "odd"):
        assert senders(facts, command_id) == [("temporal", "ops", False)] * 2, command_id
    assert senders(facts, "end") == [("temporal", None, False)] * 2
    messages = [it["data"] for it in facts if it["type"] == "message.user"]
    assert [(it.get("by"), it.get("verified", True)) for it in messages] == [
        (None, True),
        ("ops", True),
        *[("temporal", False)] * 4,
    ]
    [ending] = [it["data"] for it in facts if it["type"] == "run.cancelled"]
    assert (ending["by"], ending["reason"]) == ("temporal", "no")
    [queued] = [it["data"] for it in facts if it["type"] == "run.queued"]
    assert queued["by"] == "ops"


class Server:
    """What is needed to reset a run."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def temporal(self) -> Client:
        return self._client


@pytest.mark.usefixtures("working")
async def test_a_proof_outlives_an_operators_reset(keyed_api: Api, api_temporal: Client) -> None:
    headers = bearer(await issued(keyed_api.journal, name="ops"))
    run = await submitted(keyed_api, headers)
    await facts_with(keyed_api, run, "step.started")
    url, body = f"/v1/runs/{run}/redirect", {"message": SLOW, "command_id": "api"}
    assert (await keyed_api.http.post(url, json=body, headers=headers)).status_code == 202
    await facts_with(keyed_api, run, "command.applied", "api")
    await reset_to(Server(api_temporal), run, FIRST_TASK)
    facts = await facts_with(keyed_api, run, "run.rewound")
    async with asyncio.timeout(60):
        while [it["type"] for it in facts].count("message.user") < 3:
            await asyncio.sleep(0.05)
            facts = await envelopes(keyed_api.journal, run)
    again = [it["data"] for it in facts if it["type"] == "message.user"][-1]
    assert (again["by"], again.get("verified", True)) == ("ops", True)
    await keyed_api.http.post(f"/v1/runs/{run}/cancel", headers=headers)
    ended = await facts_with(keyed_api, run, "run.cancelled")
    assert ended[-1]["data"]["by"] == "ops"


@pytest.mark.usefixtures("working")
async def test_the_cancel_of_a_batch_is_proved_for_each_of_its_runs(
    keyed_api: Api, api_temporal: Client
) -> None:
    headers = await headers_of(keyed_api.journal)
    found = {}
    for proved in (True, False):
        body = {"runs": [{"agent": "assistant", "input": SLOW}]}
        made = (await keyed_api.http.post("/v1/batches", json=body, headers=headers)).json()
        batch, run = made["batch_id"], made["accepted"][0]["run_id"]
        await facts_with(keyed_api, run, "step.started")
        if proved:
            url = f"/v1/batches/{batch}/cancel"
            sent = await keyed_api.http.post(url, json={"command_id": "end"}, headers=headers)
            assert sent.status_code == 202, sent.text
        else:
            await api_temporal.start_workflow(
                "Batch",
                {"batch_id": batch},
                id=batch,
                task_queue="relayline-submissions",
                start_signal="cancel",
                start_signal_args=[{"command_id": "end", "by": "ann", "proof": "00"}],
            )
        found[proved] = senders(await facts_with(keyed_api, run, "run.cancelled"), "end")
    assert found[True] == [("ann", None, True)] * 2
    assert found[False] == [("temporal", "ann", False)] * 2
