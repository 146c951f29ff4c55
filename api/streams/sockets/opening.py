"""Opens WebSockets: checks who asks for what, and closes with the reason what can't be served."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.types import Message
from starlette.websockets import WebSocket

from relayline.api.auth.bearer import access_of
from relayline.api.errors import ApiError, BadRequest, InvalidField
from relayline.api.problems import SUBPROTOCOL, answer_to, closing_of
from relayline.api.runs.owners import seen_by
from relayline.api.serving.connection import CONNECTION
from relayline.api.streams.events import RunEvents
from relayline.api.streams.feed import Feed
from relayline.api.streams.sockets.inside import Inside
from relayline.api.streams.sockets.socket import RUN_ENDED, OpenSocket
from relayline.api.streams.sockets.socket_commands import SocketCommands
from relayline.api.streams.sse import Streams
from relayline.contracts.principals import Principal

_PARAMETERS = ("after", "access_token")


class Sockets:
    """The WebSockets of this process; each is one of its open streams."""

    def __init__(self, events: RunEvents, feed: Feed, streams: Streams) -> None:
        self._events = events
        self._feed = feed
        self._streams = streams

    async def serve(self, websocket: WebSocket, principal: Principal, run_id: str) -> None:
        """Serve the run's events and take its commands until the socket is closed."""
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            said = f"Sec-WebSocket-Protocol: offer {SUBPROTOCOL}"
            await websocket.send_denial_response(answer_to(BadRequest(said, field=said[:22])))
            return
        await websocket.accept(SUBPROTOCOL)
        inside = Inside(websocket.app, websocket.scope)
        try:
            message = await self._opened(websocket, principal, run_id, inside)
        except ApiError as error:
            message = closing_of(error.status, error.type)
        if message is not None:
            await websocket.send(message)

    async def _opened(
        self, websocket: WebSocket, principal: Principal, run_id: str, inside: Inside
    ) -> Message | None:
        """Serve it; the message that closes it if it can't be served.

        Raises:
            ApiError: it can't be served, either.
        """
        cursor = _cursor(websocket)
        query = urlencode({"after": cursor, "limit": 1})
        answered = await inside.get(f"/v1/runs/{run_id}/events", query)
        if not answered.ok:
            return closing_of(answered.status, answered.slug)
        tenant = seen_by(principal)
        newest = await self._events.newest(tenant, run_id, int(cursor))
        if newest is None:
            return {"type": "websocket.close", "code": RUN_ENDED.code, "reason": RUN_ENDED.reason}
        slot = await self._streams.reserve(websocket)
        access = access_of(websocket.scope)
        reads_only = access is not None and access.principal.run_id is not None
        socket = OpenSocket(
            self._streams,
            self._feed.view(tenant, run_id, int(cursor), newest),
            slot,
            SocketCommands(inside, run_id, reads_only=reads_only),
        )
        connection = websocket.scope["extensions"].get(CONNECTION, {})
        await socket.run(connection, websocket.receive, websocket.send)
        return None


def _cursor(websocket: WebSocket) -> str:
    """The parameter `after`, as it was given.

    Raises:
        InvalidField: there is another parameter, or one of them twice.
    """
    given = [name for name, _ in websocket.query_params.multi_items()]
    if odd := [name for name in given if name not in _PARAMETERS or given.count(name) > 1]:
        raise InvalidField(
            f"{odd[0][:200]}: give after, once, and nothing else", field=odd[0][:200]
        )
    return websocket.query_params.get("after", "0")
