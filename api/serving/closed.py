"""An answer to a client that has just gone away: dropped, not an error."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSED = "the handler is closed"
"""How uvloop ends its error for a connection of which uvicorn does not know yet that it closed."""


class IgnoreClosed:
    """ASGI middleware: what is sent on a closed connection is dropped.

    uvicorn drops it, too, but tells only the newest of several requests of a connection that it has
    ended; each of the others would leave a traceback in the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; `receive` tells the application of the end as always."""
        await self._app(scope, receive, perhaps_late(send))


def perhaps_late(send: Send) -> Send:
    """The same, but it drops what is sent on a closed connection."""

    async def late(message: Message) -> None:
        try:
            await send(message)
        except RuntimeError as error:
            if not str(error).endswith(CLOSED):
                raise

    return late
