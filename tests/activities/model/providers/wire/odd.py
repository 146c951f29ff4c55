"""Rows of the table of provider oddities: the bytes of an answer, and what they mean."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

Body = list[Any]
"""JSON objects as events, `str` as the data of one, bytes as they are."""

READ, CALC = "read_file", "calculate"
SUM = '{"expression": "1+1"}'
MORE = '{"expression": "2+2"}'
ONE, TWO = (CALC, {"expression": "1+1"}), (CALC, {"expression": "2+2"})
DONE = "[DONE]"


class Odd(NamedTuple):
    """One oddity."""

    name: str
    body: Body
    text: str = ""
    reason: str = "stop"
    thoughts: str = ""
    calls: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012
    usage: tuple[int, int] | None = None
    """None: any."""
    estimated: bool | None = None
    error: str = ""
    """Words of the error; empty if the answer is whole."""
    final: bool = False
    """True if a retry can't help."""
    content_type: str = "text/event-stream"
    ends: str = "closed"
    """`closed`, `reset` or `open`."""


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    whole = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**whole, "choices": [choice], **more}


def say(text: Any, **more: Any) -> dict[str, Any]:
    return chunk({"content": text}, **more)


def end(reason: str | None = "stop") -> Body:
    return [chunk({}, reason), used(7, 3), DONE]


def used(taken: Any, made: Any) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": taken, "completion_tokens": made}}


def call(
    index: object = 0,
    name: str | None = None,
    args: Any = None,
    *,
    id_: object = None,
    **more: Any,
) -> dict[str, Any]:
    function = {key: it for key, it in (("name", name), ("arguments", args)) if it is not None}
    head = {key: it for key, it in (("index", index), ("id", id_)) if it is not None}
    return chunk({"tool_calls": [{**head, "type": "function", "function": function, **more}]})


def event(data: Any, ends: str = "\n\n", field: str = "data: ") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return f"{field}{text}{ends}".encode("utf-8", "surrogatepass")


def raw(body: Body) -> list[bytes]:
    """The writes of an answer."""
    return [it if isinstance(it, bytes) else event(it) for it in body]
