"""HEAD: the answer of GET without its body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AnswerHead:
    """ASGI middleware: every GET route answers HEAD, with the status and headers of GET.

    A stream ends at once: `receive` reports a disconnect as soon as the answer is complete.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything else through."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}
        complete = False

        async def without_body(message: Message) -> None:
            nonlocal complete
            if message["type"] == "http.response.start":
                scope["route"] = as_get.get("route")  # whoever counts requests reads it
                await send(message)
            elif not complete:
                complete = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(as_get, receive, without_body)
