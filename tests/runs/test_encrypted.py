"""With keys, nothing that people or models say can be read in Temporal's files."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.client import Client, WorkflowHistory

from relayline.activities.model.call import ModelActivities
from relayline.console.replay import HistoryUnavailable, WorkflowCode, read, replay
from relayline.dev.encryption import KEYS_FILE
from relayline.runtime.payloads.found import key_id_of, key_ids_in
from relayline.runtime.payloads.ring import ListedKeys
from relayline.workflows.agent_run import AgentRun
from tests.console.test_cli import Ended, relayline
from tests.dev_stack import DevStack

MARK = "zqmark"
PLAIN_PLACES = {"prompt", "argument", "error", "note", "answer", "question", "redirect", "reason"}
PLAIN_PLACES |= {"metadata", "schedule", "instruction"}
"""Whose markers are in Temporal's files where nothing is encrypted."""


def mark(place: str) -> str:
    return f"{MARK}-{place}-"


@pytest.fixture(scope="module")
async def encrypted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """`relayline dev --encrypt`."""
    async with DevStack(tmp_path_factory.mktemp("encrypted"), "--encrypt") as started:
        yield started


async def play(stack: DevStack, **tenant: str) -> str:
    """Runs with a marker at every place where somebody writes; the first one's id.

    Args:
        stack: Where they run.
        tenant: More metadata of all runs: `tenant`, or nothing.
    """
    first = await stack.submit(
        {"call": "stumble", "arguments": {"text": mark("error")}},
        {"call": "echo", "arguments": {"text": mark("argument")}},
        {"call": "ask_user", "arguments": {"question": mark("question")}},
        {"say": mark("prompt")},
        {"tokens": 400, "words_per_delta": 100},
        {"call": "calculate", "arguments": {"expression": "6*7"}},
        {"tokens": 400, "words_per_delta": 100},
        {"call": "calculate", "arguments": {"expression": "6*7"}},
        {"say": "all said"},
        agent="frail",
        metadata={"of": mark("metadata"), **tenant},
    )
    asked = (await stack.seen(first, "approval.requested"))["data"]["approval_id"]
    await stack.send(
        first, f"approvals/{asked}", decision="approve", note=mark("note"), by=mark("by")
    )
    question = (await stack.seen(first, "input.requested"))["data"]["request_id"]
    await stack.send(first, "answer", request_id=question, text=mark("answer"))
    talk = {"tokens": 2000, "every_ms": 20}
    second = await stack.submit(talk, metadata=tenant)
    await stack.seen(second, "message.delta")
    elsewhere = json.dumps({"rehearse": [{"say": mark("redirect")}, talk]})
    await stack.send(second, "redirect", message=elsewhere)
    await stack.send(second, "cancel", reason=mark("reason"))
    run = {"agent": "assistant", "input": mark("schedule"), "metadata": tenant}
    answer = await stack.client.post("/v1/schedules", json={"run": run, "cron": "0 0 1 1 *"})
    assert answer.status_code == 201, answer.text
    schedule = answer.json()["schedule_id"]
    triggered = await stack.client.post(f"/v1/schedules/{schedule}/trigger")
    assert triggered.is_success, triggered.text
    batch = await stack.client.post("/v1/batches", json={"runs": [run]})
    assert batch.status_code == 202, batch.text
    assert (await stack.ended(first))["status"] == "completed"
    assert (await stack.ended(second))["status"] == "cancelled"
    await scheduled(stack, schedule)
    return first


async def scheduled(stack: DevStack, schedule: str) -> None:
    """Wait until the schedule has made a run and that has ended."""
    async with asyncio.timeout(60):
        while True:
            view = (await stack.client.get(f"/v1/schedules/{schedule}")).json()
            if any(it["status"] == "completed" for it in view.get("runs", [])):
                return
            await asyncio.sleep(0.1)


def found(stack: DevStack) -> set[str]:
    """The places whose markers are in any of Temporal's files."""
    texts = [file.read_bytes() for file in stack.data_dir.glob("temporal.db*")]
    assert len(texts) >= 2, "the write-ahead log is one of them"
    parts = [part for text in texts for part in text.split(MARK.encode() + b"-")[1:]]
    return {part.partition(b"-")[0].decode(errors="replace") for part in parts}


async def history_of(stack: DevStack, run_id: str) -> WorkflowHistory:
    client = await Client.connect(stack.state["temporal"]["address"])
    return await client.get_workflow_handle(run_id).fetch_history()


def ring_of(stack: DevStack) -> ListedKeys:
    return ListedKeys.parse((stack.data_dir / KEYS_FILE).read_text())


async def console(stack: DevStack, *words: str) -> Ended:
    return await relayline(*words, env={"RELAYLINE_DATA_DIR": str(stack.data_dir)})


async def test_markers_are_in_temporals_files_where_nothing_is_encrypted(stack: DevStack) -> None:
    await play(stack)
    assert found(stack) >= PLAIN_PLACES


async def test_with_keys_no_marker_is_there_and_runs_can_be_used_as_ever(
    encrypted: DevStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await play(encrypted)
    assert found(encrypted) == set()
    view = (await encrypted.client.get(f"/v1/runs/{run_id}")).json()
    assert (view["status"], view["output"]) == ("completed", "all said")
    assert view["metadata"] == {"of": mark("metadata")}
    listed = await encrypted.client.get("/v1/runs", params={"q": MARK, "status": "completed"})
    assert run_id in [it["run_id"] for it in listed.json()["runs"]]
    kinds = {event["type"] for event in await encrypted.events(run_id)}
    assert {"context.compacted", "approval.resolved", "input.received"} <= kinds
    file = tmp_path / "run.json"
    exported = await console(encrypted, "export", run_id, "-o", str(file))
    assert exported.code == 0, exported.err
    assert MARK not in file.read_text()
    replayed = await console(encrypted, "replay", str(file))
    assert replayed.code == 0, replayed.err
    assert "fits this code" in replayed.out
    code = WorkflowCode(AgentRun, ModelActivities.call_model.__name__)
    with pytest.raises(HistoryUnavailable, match="list it in RELAYLINE_PAYLOAD_KEYS"):
        await replay(read(file), code)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "other")
    with pytest.raises(HistoryUnavailable, match="not of the namespace 'other'"):
        await replay(read(file), code, ring_of(encrypted))


async def test_the_key_is_for_its_user_alone_and_used_by_open_runs(encrypted: DevStack) -> None:
    file = encrypted.data_dir / KEYS_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key_id, _, secret = file.read_text().strip().partition(":")
    run_id = await encrypted.submit({"call": "ask_user", "arguments": {"question": "why?"}})
    await encrypted.seen(run_id, "input.requested")
    env = {"TEMPORAL_ADDRESS": encrypted.state["temporal"]["address"]}
    other = {"RELAYLINE_PAYLOAD_KEYS": f"other:{secret}"}
    checked = await relayline("keyring", "check", env=env | other)
    assert checked.code == 1
    assert "other: encrypts and decrypts; not in use" in checked.out
    assert re.search(f"not set but in use: {key_id} .[0-9]+ open workflows, ", checked.err)
    for log in (encrypted.data_dir / "logs").iterdir():
        assert secret not in log.read_text(errors="replace")
    await encrypted.send(run_id, "cancel")


async def test_the_codec_server_decrypts_a_history_for_the_web_ui_and_for_no_other_page(
    encrypted: DevStack,
) -> None:
    codec, ui = encrypted.state["codec"], encrypted.state["temporal"]["ui"]
    run_id = await encrypted.submit({"say": mark("prompt")})
    await encrypted.ended(run_id)
    [started, *_] = (await history_of(encrypted, run_id)).events
    payloads = [*started.workflow_execution_started_event_attributes.input.payloads]
    assert all(map(key_id_of, payloads))
    assert key_ids_in(started.workflow_execution_started_event_attributes.memo)
    body: dict[str, Any] = {"payloads": [MessageToDict(it) for it in payloads]}
    headers = {"Origin": ui, "X-Namespace": "default"}
    async with httpx.AsyncClient() as http:
        told = await http.get(f"{ui}/api/v1/settings")
        assert told.json()["Codec"]["Endpoint"] == codec
        answer = await http.post(f"{codec}/decode", json=body, headers=headers)
        assert answer.headers["access-control-allow-origin"] == ui
        [decoded] = answer.json()["payloads"]
        assert mark("prompt") in await text_of(http, codec, answer.json())
        encoded = await http.post(f"{codec}/encode", json=answer.json(), headers=headers)
        assert mark("prompt") not in encoded.text
        again = await http.post(f"{codec}/decode", json=encoded.json(), headers=headers)
        assert again.json()["payloads"] == [decoded]
        for foreign in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            refused = await http.post(f"{codec}/decode", json=body, headers=foreign)
            assert refused.status_code == 403
            assert MARK not in refused.text


async def text_of(http: httpx.AsyncClient, codec: str, plain: dict[str, Any]) -> str:
    """The data of payloads, which are base64 in JSON; plain ones come back as they are."""
    same = (await http.post(f"{codec}/decode", json=plain)).json()
    return json.dumps([base64.b64decode(it["data"]).decode() for it in same["payloads"]])
