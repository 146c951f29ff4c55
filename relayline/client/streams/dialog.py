"""What is said on a run's socket; does no I/O."""

from __future__ import annotations

import json
from collections import deque
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from pydantic import JsonValue

from relayline.client import calls
from relayline.client.errors import error_of, unexpected
from relayline.client.events import LOST, Event
from relayline.client.files.saying import fields_of
from relayline.client.streams.sse import SseFrame
from relayline.client.transport import Options
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.commands import AnyCommand
from relayline.contracts.events import TERMINAL_TYPES

SUBPROTOCOL = "relayline.v1"
RUN_ENDED = 1000
SLOW = 4408
"""The server's code for a client that has read nothing for long; others above 4000 are problems."""
MAX_FRUITLESS = 2
"""So many sockets in a row that have brought nothing, and the next connection is a stream."""


class NoSocket(Exception):
    """Sockets can't be used here: no library, or a server or proxy without them."""


class Dialog:
    """One client's side of the sockets of a run."""

    def __init__(self, how: Options, run_id: str) -> None:
        self.how = how
        self.given_up = False
        """True once sockets are of no use here; streams and requests do the same."""
        self._run_id = run_id
        self._fruitless = 0

    def url(self, cursor: int) -> str:
        """The socket with the events after the cursor."""
        secure = urlsplit(self.how.base_url).scheme == "https"
        rest = self.how.base_url.partition("://")[2]
        path = calls.path_of(self._run_id, "socket")
        return f"{'wss' if secure else 'ws'}://{rest}{path}?after={cursor}"

    def opened(self) -> None:
        """A socket is open."""
        self._fruitless += 1

    def brought(self) -> None:
        """A socket has brought something."""
        self._fruitless = 0

    def closed(self, code: int | None) -> None:
        """It was closed: a problem, and a socket that is cut each time, are told by a stream."""
        refused = code is not None and code >= 4000 and code != SLOW
        self.given_up = self.given_up or refused or self._fruitless >= MAX_FRUITLESS

    def receipt(self, answer: dict[str, JsonValue]) -> CommandReceipt:
        """The receipt of a command.

        Raises:
            ApiError: the server refused it.
            UnexpectedAnswer: the answer is not in the protocol.
        """
        if isinstance(receipt := answer.get("receipt"), dict):
            return CommandReceipt.model_validate(receipt)
        problem = answer.get("problem")
        if not isinstance(problem, dict) or not isinstance(status := problem.get("status"), int):
            raise unexpected(self.how.base_url, "with something that is no receipt")
        headers = {"Retry-After": str(problem.get("retry_after_s", ""))}
        document = httpx.Response(status, json=problem, headers=headers)
        raise error_of(self.how.base_url, document)


class Inbox:
    """What has come on one socket and was not taken yet."""

    def __init__(self) -> None:
        self.events: deque[SseFrame] = deque()
        self._answers: dict[str, dict[str, JsonValue]] = {}

    def put(self, text: str) -> None:
        """Take in a frame."""
        frame = json.loads(text)
        answer = frame.get("receipt") or frame.get("problem")
        if answer is not None:
            self._answers[str(answer.get("command_id"))] = frame
            return
        kind, seq = frame["type"], frame.get("seq")
        self.events.append(SseFrame(None if seq is None else str(seq), kind, text))

    def next_event(self) -> SseFrame | None:
        """The next event."""
        return self.events.popleft() if self.events else None

    def answer(self, command_id: str) -> dict[str, JsonValue] | None:
        """The answer to a command."""
        return self._answers.pop(command_id, None)


def named(command: AnyCommand) -> AnyCommand:
    """The command with an id, so that it can be repeated."""
    if command.command_id:
        return command
    return command.model_copy(update={"command_id": f"cmd_{uuid4().hex}"})


def frame_of(command: AnyCommand) -> str:
    """The frame of a command that has an id."""
    fields = {name: it for name, it in fields_of(command).items() if it is not None}
    return json.dumps({"command": command.kind.value, **fields})


class _Place(NamedTuple):
    begun: bool = False
    turn: JsonValue = None
    over: bool = False


class TurnWindow:
    """The events of the turn that a message begins or joins, among all of a conversation."""

    def __init__(self, command_id: str) -> None:
        self._command_id = command_id
        self._place = _Place()

    @property
    def over(self) -> bool:
        """True after the last of them."""
        return self._place.over

    def has(self, event: Event) -> bool:
        """True if the event, the next of the conversation, is one of them."""
        if event.type == LOST:
            self._place = _Place()
        ours = event.data.get("command_id") == self._command_id
        if event.type == "message.user" and ours:
            self._place = _Place(begun=True, turn=event.data.get("turn"))
        ends = event.type in TERMINAL_TYPES or (event.type == "command.refused" and ours)
        if self._place.begun and event.type == "turn.completed":
            ends = ends or event.data.get("turn") == self._place.turn
        if ends:
            self._place = self._place._replace(over=True)
        return self._place.begun or ends or not event.seq
