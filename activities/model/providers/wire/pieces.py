"""Puts the pieces of tool calls together that a chat completion streams. Pure."""

from __future__ import annotations

import json
from typing import Any

from relayline.activities.model.providers.wire.heard import HeardCall


class CallPieces:
    """Finds the call to which each piece belongs.

    Servers disagree: several calls at index 0 with ids of their own (Ollama, MiniMax), no index at
    all (Gemini), a name in each piece (NIM, llama.cpp), an id in each piece, or a new one in each.
    """

    def __init__(self) -> None:
        self.calls: list[HeardCall] = []
        self._by_id: dict[tuple[str, object], int] = {}
        self._at: dict[object, int] = {}

    def add(self, told: Any) -> tuple[int, HeardCall] | None:
        """Take in one piece; returns the number and the call, None if the piece says nothing."""
        if not isinstance(told, dict):
            return None
        function = told.get("function")
        function = function if isinstance(function, dict) else told
        name, args = _string(function.get("name")), _arguments(function)
        identity, index = _string(told.get("id")), _index(told.get("index"))
        number = self._number(identity, index, name, args)
        if number is None:
            return None
        if number == len(self.calls):
            self.calls.append(HeardCall())
        call = self.calls[number]
        call.name = _named(call, name)
        if args:
            call.pieces.append(args)
        if isinstance(told.get("extra_content"), dict):
            call.extra = told["extra_content"]
        self._at[index] = number
        if identity:
            self._by_id[identity, index] = self._by_id[identity, None] = number
        return number, call

    def _number(self, identity: str, index: str | None, name: str, args: str) -> int | None:
        """The number of the piece's call; that of a new one; None for an empty piece."""
        if identity and (identity, index) in self._by_id:
            return self._by_id[identity, index]
        last = len(self.calls) - 1
        known = last if index is None else self._at.get(index, -1)
        if known < 0 and not name and not identity:
            known = last  # an index of its own in each piece
        if known < 0:
            return len(self.calls) if name or args or identity else None
        if not name or self._continues(self.calls[known], name, args, identity):
            return known
        return len(self.calls)

    def _continues(self, call: HeardCall, name: str, args: str, identity: str) -> bool:
        """True if a piece with a name, and perhaps a new id, is more of the call at its index."""
        if not call.name:
            return True
        if not call.pieces:
            return not identity
        begins = args.lstrip()[:1] == "{" or bool(identity and not args.strip())
        return name == call.name and not begins and not call.whole


def _named(call: HeardCall, name: str) -> str:
    """The call's name after one more piece: whole names are repeated, parts are joined."""
    if not name or name == call.name or (call.name and call.pieces):
        return call.name
    return name if name.startswith(call.name) else call.name + name


def _arguments(function: dict[str, Any]) -> str:
    """The arguments as text; some servers send an object."""
    args = function.get("arguments")
    if args is None:
        args = function.get("parameters")
    return args if isinstance(args, str) else "" if args is None else json.dumps(args)


def _index(value: object) -> str | None:
    """The index as text: `0`, `0.0` and `"0"` are one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, int | str) else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
