"""One connection to an MCP server, owned by a task of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol

from mcp.client.subscriptions import listen
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED

from relayline.activities.tool.mcp.failures import session_ended
from relayline.activities.tool.mcp.http import NOT_SENT, http_transport
from relayline.activities.tool.mcp.session import Definitions, McpSession
from relayline.activities.tool.mcp.stdio import Launch, StdioTransport
from relayline.catalog.foreign import described
from relayline.catalog.servers.mcp import Env, McpServer
from relayline.runtime.redaction import MIN_ECHOED_BYTES, Redactor

IDLE_S = 300.0
"""A connection that nobody has used for so long is closed."""
CLOSE_S = 8.0
"""A connection that does not close by itself is cancelled after so long."""
FRESH_S = 60.0
"""For so long a list holds that its server gives no time for; a call trusts none longer without
word of changes."""
LISTEN_AGAIN_S = 1.0
"""Seconds until we listen again after the stream of changes broke; then longer each time."""
_BROKEN = {NOT_SENT, CONNECTION_CLOSED}
_log = logging.getLogger(__name__)


class Unreachable(Exception):
    """The server can't be connected to; the message says why."""


class Watcher(Protocol):
    """Is told what happens to connections."""

    def lost(self, connection: Connection, why: str) -> None:
        """The connection broke in use, or the server was not reached over it."""
        ...

    def changed(self) -> None:
        """The server says that its list of tools is another."""
        ...


class Connection:
    """A session with a server.

    The task that opens it closes it: when an HTTP server dies, the SDK cancels whoever opened the
    session, and that must not look like the cancel of a call.
    """

    def __init__(self, server: McpServer, environ: Mapping[str, str], watcher: Watcher) -> None:
        self.server = server
        self.users = 0
        """Calls and listings under way."""
        self.wanted = True
        """False: it closes when nobody uses it any more."""
        self.used_at = time.monotonic()
        """When it was used last."""
        self.hears = False
        """True while the server tells of changes of its list."""
        self._secrets: list[str] = []
        """Values that it was given, to be cut out of what it says."""
        self._environ = environ
        self._watcher = watcher
        self._stdio: StdioTransport | None = None
        self._session: McpSession | None = None
        self._closing = asyncio.Event()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner: asyncio.Task[None] | None = None
        self._why = ""
        self._listing = asyncio.Lock()
        self._definitions: Definitions | None = None
        self._listed_at = 0.0
        self._changes = 0

    async def open(self) -> None:
        """Connect and negotiate.

        Raises:
            Unreachable: it is impossible, or takes more than the server's `connect_s`.
        """
        self._owner = asyncio.create_task(self._own(), name=f"mcp {self.server.name}")
        try:
            async with asyncio.timeout(self.server.connect_s):
                await asyncio.shield(self._ready)
        except TimeoutError:
            await self.close(patient=False)
            text = f"it did not answer within {self.server.connect_s:g} s"
            raise Unreachable(text) from None
        except asyncio.CancelledError:
            await self.close(patient=False)
            raise

    async def close(self, *, patient: bool = True) -> None:
        """Close it; on return its process has ended.

        Args:
            patient: False to kill a process at once.
        """
        if self._stdio and not patient:
            self._stdio.patient = False
        self._closing.set()
        if self._owner and not self._ready.done():
            self._owner.cancel()
        if self._owner:
            await asyncio.wait({self._owner}, timeout=CLOSE_S)
            self._owner.cancel()
            await asyncio.wait({self._owner}, timeout=CLOSE_S)

    @property
    def alive(self) -> bool:
        """True while it can be used."""
        return self._session is not None and not self._closing.is_set()

    @property
    def ended(self) -> bool:
        """True when the process that served it has ended; False for a server behind a URL."""
        return self._stdio is not None and self._stdio.ended

    @property
    def session(self) -> McpSession:
        """The session.

        Raises:
            Unreachable: it is not open yet.
        """
        if self._session is None:
            raise Unreachable("it is not connected")
        return self._session

    @property
    def why(self) -> str:
        """Why it ended, as far as is known."""
        why = (self._stdio and self._stdio.why()) or self._why or "the connection was lost"
        return self.clean(why)

    @property
    def said(self) -> str:
        """What its process wrote to stderr last, for logs."""
        return self.clean(self._stdio.said()) if self._stdio else ""

    def clean(self, text: str) -> str:
        """The text without the values that the server was given."""
        return Redactor(self._secrets, MIN_ECHOED_BYTES).clean(text)

    def __enter__(self) -> Connection:
        """Use it: it is not idle meanwhile."""
        self.users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.users -= 1
        self.used_at = time.monotonic()
        if not (self.users or self.wanted):
            self._closing.set()

    @property
    def fresh(self) -> Definitions | None:
        """The server's tools as listed last, None if that is too old to call one by it."""
        age_s = time.monotonic() - self._listed_at
        return self._definitions if self.hears or age_s < FRESH_S else None

    async def definitions(self, *, anew: bool = False) -> Definitions:
        """The server's tools; listed again where what is known is too old.

        Raises:
            MCPError, ValidationError: as the session's.
        """
        async with self._listing:
            known = None if anew else self.fresh
            if known is None:
                changes, self._listed_at = self._changes, time.monotonic()
                known = await self.session.definitions()
                self._definitions = known if changes == self._changes else None
            return known

    def broken_by(self, error: MCPError) -> str:
        """Why a request failed; tells the watcher where the connection is to blame."""
        why = self.clean(error.message if self.alive else self.why)
        legacy = self._session is not None and not self._session.modern
        if session_ended(error) or (legacy and error.code in _BROKEN):
            self._closing.set()  # its session is over: the next call needs another
        if not self.alive or error.code in _BROKEN:
            self._watcher.lost(self, why)
        return why

    async def _own(self) -> None:
        try:
            async with (
                self._transport() as (received, send),
                McpSession(received, send, self._changed) as session,
            ):
                await session.negotiate()
                self._session = session
                self._ready.set_result(None)
                await self._use(session)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  of a server or the SDK
            self._why = described(error)
            _log.debug("an MCP connection ended", extra={"mcp_server": self.server.name})
        finally:
            self._closing.set()
            if not self._ready.done():
                self._ready.set_exception(Unreachable(self.why))
                self._ready.exception()  # nobody may be waiting any more

    async def _use(self, session: McpSession) -> None:
        """Wait until it is to be closed, is lost, or has been idle for long."""
        hearing = asyncio.create_task(self._hear(session))
        try:
            while not self._closing.is_set():
                idle_s = 0 if self.users else time.monotonic() - self.used_at
                if idle_s >= IDLE_S:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S - idle_s):
                        await self._closing.wait()
        finally:
            self._closing.set()
            hearing.cancel()
            await asyncio.wait({hearing})

    async def _hear(self, session: McpSession) -> None:
        """Listen to a modern server for changes of its list; legacy ones just tell."""
        capabilities = session.server_capabilities
        if not (session.modern and capabilities and capabilities.tools):
            return
        pause_s = LISTEN_AGAIN_S
        while capabilities.tools.list_changed:
            with suppress(Exception):  # without word, the list is read again once it is old
                async with listen(session, tools_list_changed=True) as changes:
                    self._changed()
                    self.hears, pause_s = True, LISTEN_AGAIN_S
                    async for _ in changes:
                        self._changed()
            if self.hears:
                self.hears = False
                self._changed()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, FRESH_S)

    def _changed(self) -> None:
        self._definitions = None
        self._changes += 1
        self._watcher.changed()

    def _transport(self) -> AbstractAsyncContextManager[Any]:
        server = self.server
        if server.url:
            return http_transport(server.url, self._values(server.headers))
        launch = Launch(server.command, self._values(server.env), server.cwd)
        self._stdio = StdioTransport(launch, self._closing.set)
        return self._stdio

    def _values(self, declared: Mapping[str, str | Env]) -> dict[str, str]:
        """The declared values, those of variables looked up.

        Raises:
            Unreachable: this process has no such variable.
        """
        values: dict[str, str] = {}
        for name, value in declared.items():
            if isinstance(value, Env):
                if value.variable not in self._environ:
                    raise Unreachable(f"the worker has no environment variable {value.variable}")
                values[name] = self._environ[value.variable]
            else:
                values[name] = value
        self._secrets += values.values()
        return values
