"""The MCP server: its tools, and runs as tasks for clients that know tasks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from pydantic import JsonValue, ValidationError

from relayline import __version__
from relayline.client import AsyncClient, RelaylineError
from relayline.mcp_server.run_tools import (
    RUN,
    Ask,
    RunTool,
    as_json,
    described,
    outcome,
    steering_tools,
)
from relayline.mcp_server.tasks import (
    EXTENSION,
    TaskParams,
    UpdateParams,
    created,
    detailed,
    update,
)

Context = ServerRequestContext[Any, Any]
Clients = Callable[[Context], AbstractAsyncContextManager[AsyncClient]]
"""Gives the client of the API with the credentials of whoever asks."""
T = TypeVar("T")
INSTRUCTIONS = (
    "Agents that run durably. A tool run_… starts one: clients that know tasks get a task, others "
    "the run's id, with which get_run tells what came of it."
)


class McpServer:
    """Serves one API; keeps nothing."""

    def __init__(self, clients: Clients, *, decides: bool = False) -> None:
        """Create it.

        Args:
            clients: See there.
            decides: True: models may approve the calls of agents.
        """
        self._clients = clients
        self._tools: Mapping[str, RunTool] = steering_tools(decides=decides)
        self.server: Server[dict[str, Any]] = Server(
            "relayline",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        self.server.extensions[EXTENSION] = {}
        self.server.add_request_handler("tasks/get", TaskParams, self._get_task)
        self.server.add_request_handler("tasks/update", UpdateParams, self._update_task)
        self.server.add_request_handler("tasks/cancel", TaskParams, self._cancel_task)

    async def _list(
        self, ctx: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        agents = await self._asked(ctx, AsyncClient.agents)
        runs = [_told(f"{RUN}{it.name}", described(it), Ask.model_json_schema()) for it in agents]
        steering = [
            _told(name, it.description, it.arguments.model_json_schema(), read_only=it.read_only)
            for name, it in self._tools.items()
        ]
        return types.ListToolsResult(tools=[*runs, *steering])

    async def _call(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        """The result of a tool; of a tool that starts a run, a task if the client knows them."""
        name, given = params.name, params.arguments or {}
        try:
            if name in self._tools:
                tool = self._tools[name]
                arguments = tool.arguments.model_validate(given)
                async with self._clients(ctx) as client:
                    return _result(await tool.call(client, arguments))
            if name.startswith(RUN):
                return await self._start(ctx, name.removeprefix(RUN), Ask.model_validate(given))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            return _result(f"{field}: {first['msg']}", failed=True)
        except RelaylineError as error:
            return _result(str(error), failed=True)
        return _result(f"there is no tool {name!r}", failed=True)

    async def _start(self, ctx: Context, agent: str, asked: Ask) -> Any:
        async with self._clients(ctx) as client:
            run = await client.submit(agent, asked.message, metadata=asked.metadata or None)
        if _knows_tasks(ctx):
            return created(run.id)
        told: dict[str, JsonValue] = {"run_id": run.id}
        if run.accepted:
            told |= {"links": as_json(run.accepted.links)}
        return _result(told)

    async def _get_task(self, ctx: Context, params: TaskParams) -> dict[str, JsonValue]:
        return detailed(await self._asked(ctx, lambda client: client.run(params.task_id).get()))

    async def _update_task(self, ctx: Context, params: UpdateParams) -> dict[str, JsonValue]:
        await self._asked(ctx, lambda client: update(client, params))
        return {"resultType": "complete"}

    async def _cancel_task(self, ctx: Context, params: TaskParams) -> dict[str, JsonValue]:
        async def cancel(client: AsyncClient) -> None:
            run = client.run(params.task_id)
            await outcome(run, await run.cancel())

        await self._asked(ctx, cancel)
        return {"resultType": "complete"}

    async def _asked(self, ctx: Context, ask: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """What the API answers.

        Raises:
            MCPError: it refuses, or does not answer.
        """
        try:
            async with self._clients(ctx) as client:
                return await ask(client)
        except RelaylineError as error:
            raise MCPError(code=types.INVALID_PARAMS, message=str(error)) from error


def _knows_tasks(ctx: Context) -> bool:
    """True if the client has said so for this request."""
    capabilities = ctx.session.client_capabilities
    return bool(capabilities and EXTENSION in (capabilities.extensions or {}))


def _told(
    name: str, description: str, schema: dict[str, Any], *, read_only: bool = False
) -> types.Tool:
    hints = types.ToolAnnotations(read_only_hint=read_only, destructive_hint=not read_only)
    return types.Tool(name=name, description=description, input_schema=schema, annotations=hints)


def _result(value: JsonValue, *, failed: bool = False) -> types.CallToolResult:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=failed)
