"""Composition root of `relayline tools serve`: the tools of a module, offered over MCP.

Their process may have another Python and other packages than the workers. A worker that trusts this
server knows from `_meta` what each tool may do and who must approve it, and who calls it.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from relayline import __version__
from relayline.activities.tool.context import PROGRESS_CHARS, ToolThreads
from relayline.activities.tool.elsewhere import CallElsewhere
from relayline.activities.tool.mcp.calling import CALL_META, CONTEXT_META
from relayline.activities.tool.output import ToolFailure, checked_arguments
from relayline.activities.tool.work import ToolWork
from relayline.catalog.agents import CatalogError
from relayline.catalog.load import load_catalog
from relayline.catalog.tools import Tool
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import TOOL_META, ServedTool
from relayline.runtime.process import run_process
from relayline.runtime.settings import BadSettings, Settings
from relayline.wiring import toolbox_of

STOP_BOUND_S = 5.0
"""How long a cancelled tool may take to stop before it is given up."""
PATH = "/mcp"
TOKEN_NAME = "RELAYLINE_TOOLS_TOKEN"  # noqa: S105  the name of one
"""The variable with the token that clients send as `Authorization: Bearer …`."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


Report = Callable[[str, float | None], None]
"""Takes a line and a fraction, from any thread."""


class Address(NamedTuple):
    """Where the server listens, and what its clients must have."""

    host: str
    port: int
    token: str
    """Empty: nothing; only on loopback."""


class ServedContext(CallElsewhere):
    """The `ToolContext` of a call that came over MCP, as its `_meta` says."""

    def __init__(self, meta: Mapping[str, Any], report: Report) -> None:
        told = meta.get(CONTEXT_META)
        about: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
        super().__init__(about, str(meta.get(CALL_META, "")))
        self._report = report

    def progress(self, message: str, fraction: float | None = None) -> None:
        """As in `ToolContext`."""
        self._report(str(message)[:PROGRESS_CHARS], fraction)


class ToolServer:
    """Lists and runs tools; each call apart from the others."""

    def __init__(self, name: str, tools: Mapping[str, Tool]) -> None:
        self._tools = tools
        self._threads = ToolThreads()
        self.server: Server[dict[str, Any]] = Server(
            name, version=__version__, on_list_tools=self._list, on_call_tool=self._call
        )

    async def _list(
        self, _ctx: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_told(tool) for tool in self._tools.values()])

    async def _call(
        self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """The result; whatever goes wrong in the tool is one, too, with `isError`."""
        loop, sent = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def report(message: str, fraction: float | None) -> None:
            """From any thread."""
            loop.call_soon_threadsafe(send, message, fraction)

        def send(message: str, fraction: float | None) -> None:
            task = loop.create_task(ctx.session.report_progress(fraction or 0, 1, message))
            sent.add(task)
            task.add_done_callback(sent.discard)

        context = ServedContext(dict(ctx.meta or {}), report)
        try:
            text = await self._run(params.name, params.arguments or {}, context)
        except ToolFailure as failure:
            return _result(str(failure), failed=True)
        if sent:
            await asyncio.wait(sent)
        return _result(text)

    async def _run(self, name: str, arguments: dict[str, Any], context: ServedContext) -> str:
        """Run the tool; if the client cancels the call, the tool is stopped.

        Raises:
            ToolFailure: it does not exist, its arguments do not fit, or it failed.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise ToolFailure(ErrorType.UNKNOWN_TOOL, f"there is no tool {name!r}")
        given = checked_arguments(tool.spec, tool, arguments)
        work = ToolWork(tool, given, context, self._threads)
        try:
            if await work.wait(tool.spec.timeout_s):
                return work.result().text
        except asyncio.CancelledError:
            await work.stop(STOP_BOUND_S)
            raise
        await work.stop(STOP_BOUND_S)
        text = f"{name} did not end within {tool.spec.timeout_s:g} s"
        raise ToolFailure(ErrorType.TOOL_TIMED_OUT, text)


def _told(tool: Tool) -> types.Tool:
    """The tool as MCP has it, with what a trusting worker believes."""
    spec = tool.spec
    safe = spec.effects == "safe"
    hints = types.ToolAnnotations(idempotent_hint=safe, destructive_hint=not safe)
    meta = {TOOL_META: ServedTool.of(spec).model_dump(mode="json", exclude_none=True)}
    return types.Tool.model_validate(
        {
            "name": spec.name,
            "description": spec.description,
            "inputSchema": dict(spec.parameters),
            "annotations": hints,
            "_meta": meta,
        }
    )


def _result(text: str, *, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=failed)


class Protected:
    """Answers 401 to requests without the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] == "http" and not hmac.compare_digest(given, self._expected):
            await PlainTextResponse("a valid token is needed", 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def tools_in(module: str, settings: Settings) -> dict[str, Tool]:
    """The module's own tools, by name; questions are none.

    Raises:
        CatalogError: the module can't be used, or has no tools.
    """
    builtin = toolbox_of(settings)
    catalog = load_catalog(module, builtin, settings.model)
    own = {
        name: tool
        for name, tool in catalog.tools.items()
        if tool not in builtin and not tool.spec.asks
    }
    if not own:
        raise CatalogError(f"{module} has no tools: put @tool above its functions")
    return own


async def serve(settings: Settings, module: str, at: Address | None) -> None:
    """Serve the module's tools until the other side of stdin, or a signal, ends it.

    Raises:
        CatalogError: as `tools_in`.
        BadSettings: others could reach it without a token.
    """
    served = ToolServer(module, tools_in(module, settings)).server
    if at is None:
        async with stdio_server() as (reading, writing):
            await served.run(reading, writing, served.create_initialization_options())
        return
    if at.host not in _LOOPBACK and not at.token:
        raise BadSettings(f"{TOKEN_NAME} must be set where {at.host} is reached by others")
    app: ASGIApp = served.streamable_http_app(streamable_http_path=PATH, host=at.host)
    if at.token:
        app = Protected(app, at.token)
    config = uvicorn.Config(app, at.host, at.port, log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


def run(module: str, host: str, port: int | None) -> None:
    """Serve as a process; exits with 1 and one line if that can't be.

    Args:
        module: Whose tools.
        host: Where to listen.
        port: None: over stdin and stdout.
    """
    at = None if port is None else Address(host, port, os.environ.get(TOKEN_NAME, ""))
    run_process("tools", partial(serve, module=module, at=at), CatalogError)
