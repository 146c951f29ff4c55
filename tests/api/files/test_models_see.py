"""From an upload to the model, through a real worker; the bytes are nowhere on the way."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from temporalio.client import Client

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from relayline.worker import build_worker
from tests.activities.model.providers.stand_in import StandIn, serving
from tests.api.auth.keyed import SECRET
from tests.api.files.uploading import png, upload
from tests.api.serving import Api, envelopes

ENCODED = base64.b64encode(png()).decode()


@pytest.fixture
async def model(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[StandIn]:
    """A model that a worker asks, for as long as the test."""
    async with (
        serving() as stand_in,
        aclosing(provider_for(ProviderConfig(stand_in.url))) as made,
        build_worker(api_temporal, journal, made, Settings(drain_s=0.1, secret=SECRET)),
    ):
        yield stand_in


async def over(api: Api, run_id: str, command: str = "") -> dict[str, Any]:
    """The run, once its turn is over."""
    query = {"wait": "60"} | ({"command": command} if command else {})
    view: dict[str, Any] = (
        await api.http.get(f"/v1/runs/{run_id}", params=query, timeout=90)
    ).json()
    return view


async def test_a_model_sees_what_was_uploaded_and_history_and_journal_only_name_it(
    api: Api, api_temporal: Client, model: StandIn
) -> None:
    file = (await upload(api, png(), name="cat.png")).json()
    part = {"type": "image", "file_id": file["file_id"]}
    body = {
        "agent": "assistant",
        "model": "compatible:text",
        "open": True,
        "input": [{"type": "text", "text": "What is this?"}, part],
    }
    answer = await api.http.post("/v1/runs", json=body)
    run_id = answer.json()["run_id"]
    assert (await over(api, run_id))["last_turn"]["status"] == "completed"
    sent = {"content": [part, {"type": "text", "text": "And this?"}], "command_id": "m1"}
    assert (await api.http.post(f"/v1/runs/{run_id}/messages", json=sent)).status_code == 202
    assert (await over(api, run_id, "m1"))["last_turn"]["status"] == "completed"
    assert [json.dumps(it).count(ENCODED) for it in model.requests] == [1, 2]
    events = await envelopes(api.journal, run_id)
    first, second = [it["data"] for it in events if it["type"] == "message.user"]
    assert first["text"] == "What is this?"
    known = {"name": "cat.png", "media_type": "image/png", "size": file["size"]}
    assert first["parts"] == [
        {"type": "text", "text": "What is this?"},
        {**part, **known, "sha256": file["sha256"]},
    ]
    assert [it["type"] for it in second["parts"]] == ["image", "text"]
    history = (await api_temporal.get_workflow_handle(run_id).fetch_history()).to_json()
    assert ENCODED not in json.dumps(events)
    assert png().hex()[:60] not in history
    assert ENCODED[:40] not in history
    assert file["file_id"] in base64.b64decode(_first_payload(history)).decode()


async def test_a_run_whose_input_is_a_picture_alone_has_a_title(api: Api, model: StandIn) -> None:
    file = (await upload(api, png(), name="cat.png")).json()
    part = {"type": "image", "file_id": file["file_id"]}
    body = {"agent": "assistant", "model": "compatible:text", "input": [part]}
    run_id = (await api.http.post("/v1/runs", json=body)).json()["run_id"]
    assert (await over(api, run_id))["status"] == "completed"
    listed = (await api.http.get("/v1/runs", params={"q": run_id})).json()["runs"]
    assert listed[0]["title"] == "[image]"
    assert len(model.requests) == 1


async def test_a_model_sees_the_files_of_redirects_of_forks_and_of_histories(
    api: Api, api_temporal: Client, model: StandIn
) -> None:
    """A fork has those of its past, too, though the run that they were given to is erased."""
    file_id = (await upload(api, png(), name="cat.png")).json()["file_id"]
    shown = [{"type": "text", "text": "What is this?"}, {"type": "image", "file_id": file_id}]
    body: dict[str, Any] = {"agent": "assistant", "model": "compatible:falls-silent"}
    body["input"] = "Hello"
    run_id = (await api.http.post("/v1/runs", json=body)).json()["run_id"]
    await asked(model, 0)
    answer = await api.http.post(f"/v1/runs/{run_id}/redirect", json={"message": shown})
    assert answer.status_code == 202, answer.text
    await asked(model, 1)
    await api.http.post(f"/v1/runs/{run_id}/cancel")
    assert (await over(api, run_id))["status"] == "cancelled"
    history = (await api_temporal.get_workflow_handle(run_id).fetch_history()).to_json()
    assert ENCODED[:40] not in history
    asks = {"message": [shown[1]], "model": "compatible:text"}
    fork_id = (await api.http.post(f"/v1/runs/{run_id}/fork", json=asks)).json()["run_id"]
    assert (await over(api, fork_id))["status"] == "completed"
    assert json.dumps(model.requests[-1]).count(ENCODED) == 2
    assert (await api.http.delete(f"/v1/runs/{run_id}")).status_code == 204
    asks = {"message": "And now?"}
    fork_id = (await api.http.post(f"/v1/runs/{fork_id}/fork", json=asks)).json()["run_id"]
    assert (await over(api, fork_id))["status"] == "completed"
    assert json.dumps(model.requests[-1]).count(ENCODED) == 2
    earlier = [{"role": "user", "content": shown}, {"role": "assistant", "content": "A dot."}]
    said = {"input": "Sure?", "history": earlier}
    body = {"agent": "assistant", "model": "compatible:text", **said}
    run_id = (await api.http.post("/v1/runs", json=body)).json()["run_id"]
    assert (await over(api, run_id))["status"] == "completed"
    assert json.dumps(model.requests[-1]).count(ENCODED) == 1


async def asked(model: StandIn, files: int) -> None:
    """Wait until the model was shown so many files at once, in whichever attempt."""
    async with asyncio.timeout(60):
        while not any(json.dumps(it).count(ENCODED) == files for it in model.requests):
            await asyncio.sleep(0.02)


def _first_payload(history: str) -> str:
    attributes = json.loads(history)["events"][0]["workflowExecutionStartedEventAttributes"]
    data: str = attributes["input"]["payloads"][0]["data"]
    return data
