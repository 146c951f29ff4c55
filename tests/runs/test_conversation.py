"""A conversation over HTTP, with the client library, and in a terminal."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from relayline import AsyncClient, Client
from relayline.contracts.events import UserMessageEvent
from relayline.contracts.runs import RunStatus
from tests.dev_stack import DevStack

TALK = json.dumps({"rehearse": [{"tokens": 40, "every_ms": 20}]})
CHAT_S = 60


async def frames(stack: DevStack, path: str, **body: Any) -> list[dict[str, Any]]:
    """All events of a stream that ends by itself."""
    method, headers = "POST" if body else "GET", {"Accept": "text/event-stream"}
    asked = stack.client.build_request(method, path, headers=headers, timeout=60, json=body or None)
    answer = await stack.client.send(asked, stream=True)
    async with aclosing(answer):
        assert answer.status_code == 200, await answer.aread()
        lines = [line async for line in answer.aiter_lines()]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.stack
async def test_streams_and_waits_end_with_the_turn_of_their_message(stack: DevStack) -> None:
    asked = {"agent": "assistant", "input": "hello", "open": True}
    first = await frames(stack, "/v1/runs", **asked)
    assert (first[0]["type"], first[-1]["type"]) == ("run.queued", "turn.completed")
    run = f"/v1/runs/{(run_id := first[0]['run_id'])}"
    second = await frames(stack, f"{run}/messages", content="and more?")
    assert [second[0]["type"], second[-1]["type"]] == ["message.user", "turn.completed"]
    assert second[0]["data"]["turn"] == second[-1]["data"]["turn"] == 2
    command_id = second[0]["data"]["command_id"]

    view = (await stack.client.get(run, params={"wait": 30, "command": command_id})).json()
    assert (view["status"], view["turn"]) == ("idle", 2)
    assert view["last_turn"] == {"error": None, **second[-1]["data"]}
    assert view["command"]["state"] == "applied"

    turn = f"{run}/events?until=turn&command={command_id}"
    assert await frames(stack, turn) == second
    half = second[len(second) // 2]["seq"]
    assert [it["seq"] for it in await frames(stack, f"{turn}&after={half}")] == [
        it["seq"] for it in second if it["seq"] > half
    ]
    assert await frames(stack, f"{turn}&deltas=none") == [
        it for it in second if not it["type"].endswith(".delta")
    ]
    headers = {"Accept": "text/event-stream"}
    ended = await stack.client.get(f"{turn}&after={second[-1]['seq']}", headers=headers)
    assert ended.status_code == 204

    listed = await stack.client.get("/v1/runs", params={"conversation": True, "status": "idle"})
    found = {it["run_id"]: it for it in listed.json()["runs"]}
    assert (found[run_id]["turn"], found[run_id]["phase"]) == (2, "idle")
    others = await stack.client.get("/v1/runs", params={"conversation": False, "limit": 100})
    assert run_id not in {it["run_id"] for it in others.json()["runs"]}
    await stack.send(run_id, "close")
    assert (await stack.ended(run_id))["status"] == "completed"
    late = await stack.client.post(f"{run}/messages", json={"content": "too late"})
    assert (late.status_code, late.json()["type"]) == (409, "urn:relayline:problem:run-ended")


@pytest.mark.stack
async def test_messages_at_once_and_around_a_close_are_each_answered_or_refused(
    stack: DevStack,
) -> None:
    async with AsyncClient(stack.api_urls[0]) as client:
        run = await client.submit("assistant", TALK, open=True)
        receipts = await asyncio.gather(*(run.message(f"m{number}") for number in range(5)))
        await run.close()
        late = [await run.message(f"late {number}") for number in range(2)]
        assert (await run.wait(60)).status is RunStatus.COMPLETED
        events = [event async for event in run.events()]
        outcomes = [await run.command(it.command_id, wait_s=5) for it in (*receipts, *late)]
    told = [it.body for it in events if isinstance(it.body, UserMessageEvent)]
    by_command = {it.command_id: it.turn or 0 for it in told if it.command_id}
    assert sorted(by_command.values()) == [2, 3, 4, 5, 6]
    assert [it.state for it in outcomes] == ["applied"] * 5 + ["refused"] * 2
    assert {it.command_id: it.turn for it in outcomes[:5]} == by_command
    turns = [(it.data["turn"], it.data["status"]) for it in events if it.type == "turn.completed"]
    assert turns == [(number, "completed") for number in range(1, 7)]


@pytest.mark.stack
def test_the_library_streams_and_waits_turn_by_turn(stack: DevStack) -> None:
    with Client(stack.api_urls[0]) as client:
        with client.submit_and_stream("assistant", "hello", open={"idle_s": 600}) as stream:
            assert [event.type for event in stream][-1] == "turn.completed"
        run = stream.run
        receipt = run.message("one more")
        with run.stream(turn_of=receipt.command_id) as stream:
            text = "".join(piece.text for piece in stream.text())
        view = run.wait(60, turn_of=receipt.command_id)
        assert view.last_turn is not None
        assert view.last_turn.output == text
        assert "one more" in text
        third = run.message("x", if_busy="reject").command_id  # nothing is busy
        assert run.wait(60, turn_of=third).status is RunStatus.IDLE
        run.cancel()
        assert run.wait(60).status is RunStatus.CANCELLED


@pytest.mark.stack
async def test_a_chat_answers_line_by_line(stack: DevStack) -> None:
    relayline = Path(sys.executable).with_name("relayline")
    command = (str(relayline), "chat", "--close", "--url", stack.api_urls[0])
    chat = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(CHAT_S):
        out, _ = await chat.communicate(b"hello\n\nand more\n")
    assert chat.returncode == 0
    assert [word in out.decode() for word in ("“hello”", "“and more”")] == [True, True]
