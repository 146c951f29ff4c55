"""Serves MCP at `/mcp` (streamable HTTP, without sessions); each tool is a request of the API.

The app makes these requests of itself, in the name of whoever asks: credentials, scopes, rates,
tenants, limits and audit are those of the routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from relayline.api.auth.bearer import access_of

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.requests import Request

    from relayline.client import AsyncClient
    from relayline.mcp_server.server import Context

PATH = "/mcp"


class ServeMcp:
    """ASGI middleware, the innermost: answers `/mcp`, passes everything else on."""

    def __init__(self, app: ASGIApp, endpoint: McpEndpoint) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] == "http" and scope["path"] == PATH:
            await self._endpoint.answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class McpEndpoint:
    """The MCP server of an app; the SDK is loaded with the first request."""

    def __init__(self, app: ASGIApp, *, decides: bool) -> None:
        """Create it.

        Args:
            app: The whole app, with its middleware.
            decides: True: models may approve the calls of agents.
        """
        self._app = app
        self._decides = decides
        self._starting: asyncio.Task[StreamableHTTPSessionManager] | None = None
        self._closing = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        manager = await asyncio.shield(self._starting)
        await manager.handle_request(scope, receive, send)

    async def close(self) -> None:
        """Stop; requests that are under way end."""
        self._closing.set()
        if self._running:
            await self._running

    async def _start(self) -> StreamableHTTPSessionManager:
        manager = await asyncio.to_thread(self._manager)
        started = asyncio.Event()

        async def run() -> None:
            """In a task of its own: the SDK's task group must end where it began."""
            async with manager.run():
                started.set()
                await self._closing.wait()

        self._running = asyncio.create_task(run(), name="mcp")
        await started.wait()
        return manager

    def _manager(self) -> StreamableHTTPSessionManager:
        from mcp.server.streamable_http_manager import (  # noqa: PLC0415  takes half a second
            StreamableHTTPSessionManager,
        )

        from relayline.mcp_server.server import McpServer  # noqa: PLC0415  as above

        server = McpServer(self._client, decides=self._decides).server
        return StreamableHTTPSessionManager(app=server, stateless=True, json_response=True)

    @asynccontextmanager
    async def _client(self, ctx: Context) -> AsyncIterator[AsyncClient]:
        """A client of the app with the credentials of the request."""
        import httpx  # noqa: PLC0415  the API needs it for this alone

        from relayline.client import AsyncClient  # noqa: PLC0415  as above

        request = cast("Request", ctx.request)
        headers = {}
        if access := access_of(request.scope):
            headers["Authorization"] = f"Bearer {access.credential}"
        here = f"{request.url.scheme}://{request.headers['host']}"
        client = request.client or ("127.0.0.1", 0)
        inside = httpx.ASGITransport(self._app, client=(client[0], client[1]))
        async with AsyncClient(here, api_key="", headers=headers, transport=inside) as made:
            yield made
