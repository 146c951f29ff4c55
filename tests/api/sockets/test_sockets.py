"""A run's socket: events down, commands up, and how it is closed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.api.serving import SSE, Api, completed, deltas, ended_run, eventually, run_id, started
from tests.api.sockets.speaking import PROTOCOL, socket

TALK = {"agent": "assistant", "input": "hello", "open": True}


async def opened(api: Api) -> str:
    answer = await api.http.post("/v1/runs", json=TALK)
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    return run


async def test_it_shows_what_a_stream_shows_from_the_same_cursor(api: Api) -> None:
    run = await ended_run(api.journal)
    text = (await api.http.get(f"/v1/runs/{run}/events?after=2", headers=SSE)).text
    streamed = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    async with socket(api, run, "?after=2") as speaker:
        assert speaker.connection.subprotocol == PROTOCOL
        code, reason = await speaker.closed()
    assert speaker.events == [json.loads(line) for line in streamed]
    assert len(speaker.events) == 21
    assert (code, reason) == (1000, "run-ended after=23")
    await api.quiet()


async def test_what_comes_later_is_sent_at_once_and_the_end_closes_it(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    async with socket(api, run) as speaker:
        await speaker.until("run.started")
        await api.journal.append(run, deltas(3))
        await api.journal.append(run, [completed()])
        assert await speaker.closed() == (1000, "run-ended after=5")
    assert [it["seq"] for it in speaker.events] == [1, 2, 3, 4, 5]
    async with socket(api, run, "?after=5") as speaker:
        assert await speaker.closed() == (1000, "run-ended")
    await api.quiet()


async def test_a_command_has_a_receipt_and_repeated_it_is_the_same(api: Api) -> None:
    run = await opened(api)
    said = {"content": "more", "command_id": "m1", "by": "ann"}
    async with socket(api, run) as speaker:
        receipt = {"receipt": {"command_id": "m1", "state": "accepted"}}
        assert await speaker.send("message", **said) == receipt
        assert await speaker.send("message", **said) == receipt
        over_http = await api.http.post(f"/v1/runs/{run}/messages", json=said)
        assert over_http.json() == {"command_id": "m1"}
        other = (await speaker.send("message", content="else", command_id="m1"))["problem"]
        assert (other["status"], other["field"], other["command_id"]) == (422, "command_id", "m1")
        for command in ("pause", "resume", "close"):
            answer = await speaker.send(command, command_id=command)
            assert answer["receipt"]["command_id"] == command
        cancelled = await speaker.send("cancel", command_id="c", scope="turn", reason="enough")
        assert cancelled["receipt"]["state"] == "accepted"
        redirected = await speaker.send("redirect", command_id="r", message="left")
        assert redirected["receipt"]["command_id"] == "r"
    await api.quiet()


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ("no json", 400, "body"),
        ("[1]", 400, "body"),
        (b"{}", 400, "body"),
        ("[" * 100_000, 400, "body"),
        ('{"command": "fly", "command_id": "a"}', 422, "command"),
        ('{"command": ["pause"], "command_id": "a"}', 422, "command"),
        ('{"command": "pause"}', 422, "command_id"),
        ('{"command": "pause", "command_id": 7}', 422, "command_id"),
        ('{"command": "pause", "command_id": "a", "later": 1}', 422, "later"),
        ('{"command": "message", "command_id": "a"}', 422, "content"),
        ('{"command": "decide", "command_id": "a", "decision": "deny"}', 422, "approval_id"),
        (
            '{"command": "decide", "command_id": "a", "approval_id": "../close"}',
            422,
            "approval_id",
        ),
    ],
)
async def test_what_is_no_command_is_a_problem_and_the_socket_stays(
    api: Api, sent: str | bytes, status: int, field: str
) -> None:
    run = await opened(api)
    async with socket(api, run) as speaker:
        await speaker.connection.send(sent)
        problem = (await speaker.answer())["problem"]
        assert (problem["status"], problem["field"]) == (status, field)
        assert problem["type"].startswith("urn:relayline:problem:")
        assert "receipt" in await speaker.send("pause", command_id="p")


@pytest.mark.slow
async def test_unknown_approvals_and_questions_are_problems_as_over_http(api: Api) -> None:
    run = await opened(api)
    async with socket(api, run) as speaker:
        decided: dict[str, Any] = {"approval_id": "approval_9_0", "decision": "deny"}
        one = await speaker.send("decide", command_id="d", **decided)
        two = await speaker.send("answer", command_id="q", request_id="input_9_0", text="x")
    assert [it["problem"]["status"] for it in (one, two)] == [404, 404]


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("?after=x", 4400, "invalid-cursor"),
        ("?after=-1", 4400, "invalid-cursor"),
        ("?after=999", 4400, "cursor-ahead"),
        ("?limit=1", 4422, "invalid-field"),
        ("?after=1&after=2", 4422, "invalid-field"),
    ],
)
async def test_a_cursor_that_is_none_closes_it(
    api: Api, query: str, code: int, reason: str
) -> None:
    run = await ended_run(api.journal)
    async with socket(api, run, query) as speaker:
        assert await speaker.closed() == (code, reason)
    await api.quiet()


async def test_a_run_that_is_not_there_closes_it(api: Api) -> None:
    async with socket(api, run_id()) as speaker:
        assert await speaker.closed() == (4404, "unknown-run")
    async with socket(api, "nonsense") as speaker:
        assert await speaker.closed() == (4404, "unknown-run")


async def test_without_our_protocol_or_at_another_path_there_is_no_socket(api: Api) -> None:
    run = await ended_run(api.journal)
    with pytest.raises(InvalidStatus) as refused:
        async with socket(api, run, protocols=["chat"]):
            pass
    assert refused.value.response.status_code == 400
    assert b"relayline.v1" in (refused.value.response.body or b"")
    with pytest.raises(InvalidStatus) as elsewhere:
        async with socket(api, f"{run}/x"):
            pass
    assert elsewhere.value.response.status_code == 403


async def test_a_page_of_another_site_gets_no_socket(api: Api) -> None:
    run = await ended_run(api.journal)
    with pytest.raises(InvalidStatus) as refused:
        async with socket(api, run, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with socket(api, run, origin=f"http://{api.host}:{api.port}") as speaker:
        assert (await speaker.closed())[0] == 1000


async def test_a_message_that_is_too_large_ends_it_and_nothing_else(api: Api) -> None:
    run = await opened(api)
    async with socket(api, run) as speaker:
        await speaker.connection.send("x" * (1024 * 1024 + 1))
        assert (await speaker.closed())[0] == 1009
    await api.quiet()
    async with socket(api, run) as speaker:
        problem = (await speaker.send("message", command_id="m", content="x" * 40_000))["problem"]
        assert (problem["status"], problem["field"]) == (422, "content")


@pytest.mark.slow
async def test_many_commands_at_once_are_answered_in_order(api: Api) -> None:
    run = await opened(api)
    async with socket(api, run) as speaker:
        for number in range(200):
            frame = {"command": "resume", "command_id": f"r{number}"}
            await speaker.connection.send(json.dumps(frame))
        for number in range(200):
            assert (await speaker.answer())["receipt"]["command_id"] == f"r{number}"
        await asyncio.wait_for(speaker.connection.ping(), 60)
    await api.quiet()


async def test_sockets_and_streams_of_a_run_are_read_once(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    async with (
        socket(api, run) as one,
        socket(api, run) as two,
        api.http.stream("GET", f"/v1/runs/{run}/events", headers=SSE),
    ):
        await api.opened(3)
        await eventually(lambda: api.services.feed.followed == 1)  # others may have just ended
        await api.journal.append(run, [*deltas(2), completed()])
        assert [(await it.closed())[0] for it in (one, two)] == [1000, 1000]
    assert one.events == two.events
    await api.quiet()
