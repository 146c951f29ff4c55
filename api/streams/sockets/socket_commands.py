"""Commands that come on a WebSocket: each is the request that says the same over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from relayline.api.auth.port import Forbidden
from relayline.api.documents import document_of
from relayline.api.errors import ApiError, BadRequest, InvalidField
from relayline.api.streams.sockets.inside import Answered, Inside
from relayline.contracts.commands import MAX_ID_CHARS

_PATHS = {
    "message": "messages",
    "decide": "approvals",
    **{it: it for it in ("redirect", "pause", "resume", "cancel", "answer", "close")},
}
"""The last part of the path of each command."""


class SocketCommands:
    """Sends the commands of one client to one run, in order, one at a time."""

    def __init__(self, inside: Inside, run_id: str, *, reads_only: bool) -> None:
        """Create it.

        Args:
            inside: Makes the requests.
            run_id: The run.
            reads_only: True for a stream token, which sends no commands.
        """
        self._inside = inside
        self._run = f"/v1/runs/{run_id}"
        self._reads_only = reads_only

    async def answer(self, message: Mapping[str, Any]) -> str:
        """The receipt of a command, or a problem; as JSON text.

        Args:
            message: As ASGI has it.
        """
        command_id: JsonValue = None
        try:
            frame = _read(message.get("text"))
            command_id = frame.get("command_id")
            path, body = self._request(frame)
            answered = await self._inside.post(path, body)
        except ApiError as error:
            answered = Answered(error.status, document_of(error), None)
        if answered.ok:
            return json.dumps({"receipt": {**answered.body, "state": "accepted"}})
        wait = {} if answered.retry_after_s is None else {"retry_after_s": answered.retry_after_s}
        names = isinstance(command_id, str) and len(command_id) <= MAX_ID_CHARS
        known = {"command_id": command_id} if names else {}
        return json.dumps({"problem": {**answered.body, **wait, **known}})

    def _request(self, frame: dict[str, JsonValue]) -> tuple[str, dict[str, JsonValue]]:
        """The path and the body of the request.

        Raises:
            Forbidden: a stream token sends it.
            InvalidField: it is no command, or names none.
        """
        if self._reads_only:
            raise Forbidden("a stream token opens events only; send commands with an API key")
        kind = frame.pop("command", None)
        path = _PATHS.get(kind) if isinstance(kind, str) else None
        if path is None:
            raise InvalidField(
                f"command: {str(kind)[:100]!r} is none", field="command", known=[*sorted(_PATHS)]
            )
        if not frame.get("command_id"):
            raise InvalidField(
                "command_id: missing; with it, a command can be repeated", field="command_id"
            )
        if kind == "decide":
            approval_id = frame.pop("approval_id", None)
            if not isinstance(approval_id, str) or not approval_id or "/" in approval_id:
                raise InvalidField(
                    "approval_id: it names the approval that is decided", field="approval_id"
                )
            path += f"/{approval_id}"
        return f"{self._run}/{path}", frame


def _read(text: str | None) -> dict[str, JsonValue]:
    """The frame.

    Raises:
        BadRequest: it is not a JSON object in a text frame.
    """
    try:
        frame = json.loads(text or "")
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        raise BadRequest("send a JSON object in a text frame", slug="malformed-json", field="body")
    return frame
