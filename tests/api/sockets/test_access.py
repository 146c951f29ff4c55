"""Who may open a socket, and what its commands may do."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from temporalio.client import Client

from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.auth.keyed import bearer, issued, keyed, new_key
from tests.api.serving import Api, serving
from tests.api.sockets.speaking import PROTOCOL, socket

TALK = {"agent": "assistant", "input": "hello", "open": True}


async def opened(api: Api, key: str) -> str:
    answer = await api.http.post("/v1/runs", json=TALK, headers=bearer(key))
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    return run


async def test_a_key_comes_in_the_header_or_as_a_subprotocol_that_is_not_echoed(
    strict: Api, journal: SqliteJournal
) -> None:
    key = await new_key(journal, "blue")
    run = await opened(strict, key)
    async with socket(strict, run, headers=bearer(key)) as speaker:
        assert "receipt" in await speaker.send("pause", command_id="p")
    async with socket(strict, run, protocols=[PROTOCOL, f"bearer.{key}"]) as speaker:
        assert speaker.connection.subprotocol == PROTOCOL
        assert "receipt" in await speaker.send("resume", command_id="r")


@pytest.mark.parametrize("given", ["none", "wrong", "in the URL", "twice"])
async def test_without_a_key_that_holds_it_is_closed(
    strict: Api, journal: SqliteJournal, given: str
) -> None:
    key = await new_key(journal, "blue")
    run = await opened(strict, key)
    ways: dict[str, dict[str, Any]] = {
        "none": {},
        "wrong": {"protocols": [PROTOCOL, "bearer.rl_test_x"]},
        "in the URL": {"query": f"?access_token={key}"},
        "twice": {"protocols": [PROTOCOL, f"bearer.{key}"], "headers": bearer(key)},
    }
    async with socket(strict, run, **ways[given]) as speaker:
        assert await speaker.closed() == (4401, "unauthenticated")


async def test_another_tenants_run_is_not_there(strict: Api, journal: SqliteJournal) -> None:
    run = await opened(strict, await new_key(journal, "blue"))
    red = await new_key(journal, "red")
    async with socket(strict, run, headers=bearer(red)) as speaker:
        assert await speaker.closed() == (4404, "unknown-run")


async def test_each_command_needs_its_scope(strict: Api, journal: SqliteJournal) -> None:
    run = await opened(strict, await new_key(journal, "blue"))
    reader = await new_key(journal, "blue", Scope.RUNS_READ)
    writer = await new_key(journal, "blue", Scope.RUNS_STEER)
    both = await new_key(journal, "blue", Scope.RUNS_READ, Scope.RUNS_STEER)
    async with socket(strict, run, headers=bearer(writer)) as speaker:
        assert await speaker.closed() == (4403, "forbidden")
    async with socket(strict, run, headers=bearer(reader)) as speaker:
        problem = (await speaker.send("pause", command_id="p"))["problem"]
        assert (problem["status"], problem["scope"]) == (403, "runs:steer")
    async with socket(strict, run, headers=bearer(both)) as speaker:
        assert "receipt" in await speaker.send("pause", command_id="p")
        problem = (await speaker.send("cancel", command_id="c"))["problem"]
        assert (problem["status"], problem["scope"]) == (403, "runs:cancel")


async def test_a_stream_token_opens_events_of_its_run_only(
    strict: Api, journal: SqliteJournal
) -> None:
    key = await new_key(journal, "blue")
    run, other = await opened(strict, key), await opened(strict, key)
    asked = await strict.http.post("/v1/tokens/stream", json={"run_id": run}, headers=bearer(key))
    token = asked.json()["token"]
    async with socket(strict, run, f"?access_token={token}") as speaker:
        await speaker.until("run.queued")
        problem = (await speaker.send("pause", command_id="p"))["problem"]
        assert (problem["status"], problem["command_id"]) == (403, "p")
    async with socket(strict, other, f"?access_token={token}") as speaker:
        assert await speaker.closed() == (4404, "unknown-run")


async def test_a_socket_ends_when_its_key_is_revoked(strict: Api, journal: SqliteJournal) -> None:
    key, stays = [await issued(journal) for _ in range(2)]
    run = await opened(strict, stays.text)
    async with socket(strict, run, headers=bearer(key)) as speaker:
        await speaker.until("run.queued")
        assert await journal.api_keys.revoke(EVERY, key.stored.key_id, time.time_ns() // 1000)
        code, reason = await speaker.closed()
    assert (code, reason.partition(" ")[0]) == (4401, "unauthenticated")
    await strict.quiet()


async def test_commands_count_against_the_rates_of_http(
    api_temporal: Client, journal: SqliteJournal
) -> None:
    settings = keyed(rates="steer=3/m")
    async with serving(settings, journal, api_temporal) as api:
        key = await new_key(journal, "blue")
        run = await opened(api, key)
        async with socket(api, run, headers=bearer(key)) as speaker:
            for number in range(3):
                assert "receipt" in await speaker.send("pause", command_id=f"p{number}")
            problem = (await speaker.send("pause", command_id="p3"))["problem"]
            assert (problem["status"], problem["type"]) == (
                429,
                "urn:relayline:problem:rate-limited",
            )
            assert int(problem["retry_after_s"]) > 0


async def test_what_a_command_does_is_in_the_audit_log(strict: Api, journal: SqliteJournal) -> None:
    key = await new_key(journal, "blue")
    run = await opened(strict, key)
    async with socket(strict, run, headers=bearer(key)) as speaker:
        assert "receipt" in await speaker.send("pause", command_id="noted")
    async with asyncio.timeout(60):
        while "noted" not in await audited(strict, run, key):
            await asyncio.sleep(0.05)
    assert (await audited(strict, run, key)).count("noted") == 1


async def audited(api: Api, run: str, key: str) -> list[str]:
    """The commands in the audit log; rows come there within a second."""
    answer = await api.http.get("/v1/audit", params={"run_id": run}, headers=bearer(key))
    return [it["detail"].get("command_id") for it in answer.json()["items"]]
