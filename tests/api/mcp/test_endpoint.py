"""`/mcp` on the API: the same keys, scopes and tenants as the routes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent
from temporalio.client import Client as Temporal

from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.auth.keyed import EVERYTHING, bearer, issued
from tests.api.serving import Api, completed, run_id, serving, started

MAY_READ = frozenset({Scope.RUNS_READ})
OF_A_TENANT = EVERYTHING - {Scope.TENANTS_ADMIN}


class Asking:
    """A client of the endpoint."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> set[str]:
        return {tool.name for tool in (await self._client.list_tools()).tools}

    async def ask(self, name: str, **arguments: object) -> Any:
        result = await self._client.call_tool(name, dict(arguments))
        [block] = result.content
        assert isinstance(block, TextContent)
        return block.text if result.is_error else json.loads(block.text)


@asynccontextmanager
async def asking(api: Api, headers: dict[str, str]) -> AsyncIterator[Asking]:
    url = f"http://{api.host}:{api.port}/mcp"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield Asking(client)


async def test_without_authentication_runs_are_started_and_read(api: Api) -> None:
    async with asking(api, {}) as it:
        assert {"run_assistant", "run_brief", "get_run", "cancel"} <= await it.tools()
        assert "decide" not in await it.tools()
        run = (await it.ask("run_brief", message="hello", metadata={"team": "a"}))["run_id"]
        view = await it.ask("get_run", run_id=run)
        assert (view["agent"], view["status"]) == ("brief", "queued")
        assert "message" in await it.ask("run_brief", message="")
        assert "no run" in await it.ask("get_run", run_id=run_id())
        assert await it.ask("nothing") == "there is no tool 'nothing'"


async def test_a_key_is_needed_and_its_scopes_hold(strict: Api) -> None:
    url = f"http://{strict.host}:{strict.port}/mcp"
    async with httpx2.AsyncClient() as http:
        answer = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert answer.status_code == 401
    reader = await issued(strict.journal, scopes=MAY_READ)
    async with asking(strict, bearer(reader)) as it:
        assert "runs:write" in await it.ask("run_assistant", message="hello")


async def test_nothing_of_one_tenant_reaches_another(strict: Api) -> None:
    mine = await issued(strict.journal, "mine", OF_A_TENANT)
    other = await issued(strict.journal, "other", OF_A_TENANT)
    async with asking(strict, bearer(mine)) as it:
        run = (await it.ask("run_assistant", message="hello"))["run_id"]
        await strict.journal.append(run, [started(), completed()])
        assert (await it.ask("get_run", run_id=run))["status"] == "completed"
    async with asking(strict, bearer(other)) as it:
        for name in ("get_run", "read_events", "cancel"):
            assert run not in json.dumps(await it.ask("list_runs"))
            assert await it.ask(name, run_id=run) == f"no run {run!r}"


async def test_a_model_may_decide_only_where_the_settings_say_so(
    api_temporal: Temporal, journal: SqliteJournal
) -> None:
    async with (
        serving(Settings(mcp_decide=True), journal, api_temporal) as open_to_models,
        asking(open_to_models, {}) as it,
    ):
        assert "decide" in await it.tools()
