"""Oddities: pings, marks, halves of characters, fields that others do not have."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.activities.model.providers.wire.odd import DONE, Body, Odd, chunk, end, event, say

HELLO = [say("hel"), say("lo"), *end()]


def between(noise: Any) -> Body:
    return [noise, HELLO[0], noise, HELLO[1], noise, *HELLO[2:]]


def hello(name: str, body: Body, **more: Any) -> Odd:
    return Odd(name, body, "hello", **more)


def joined(*events: bytes) -> bytes:
    return b"".join(events)


WHOLE = {
    "object": "chat.completion",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
    ],
}
SECOND = {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": None}]}
NOISE = [
    *(
        hello(repr(noise), between(noise))
        for noise in (
            b"data:\n\n",
            b"data\n\n",
            b"data: \n\n",
            b"retry: 3000\n\n",
            b"id: 5\n\n: ping\n\n",
            b"event: ping\n\n",
            b'event: ping\ndata: {"type": "ping"}\n\n',
            b"event: keep-alive\ndata:\n\n",
            b": OPENROUTER PROCESSING\n\n",
            b"data: null\n\n",
            b"data: {}\n\n",
            b"data: []\n\n",
            b'data: ""\n\n',
            b"data: ping\n\n",
            b"data: true\n\n",
            b"\n\n\n",
            b"\r\n",
            b"\xef\xbb\xbf",
        )
    ),
    hello("CRLF", [event(it, "\r\n\r\n") for it in HELLO]),
    hello("CR", [event(it, "\r\r") for it in HELLO]),
    hello("no space", [event(it, field="data:") for it in HELLO]),
    hello("no blank lines", [event(it, "\n") for it in HELLO]),
    hello("no last blank line", [*map(event, HELLO[:2]), event(chunk({}, "stop"), "")]),
    hello("all in one write", [joined(*map(event, HELLO))]),
    hello("byte by byte", [bytes([it]) for it in joined(*map(event, HELLO))]),
    hello("ids and names", [b"id: 7\nevent: message\n" + event(it) for it in HELLO]),
    hello(
        "indented data",
        [event(json.dumps(HELLO[0], indent=1).replace("\n", "\ndata: ")), *HELLO[1:]],
    ),
    hello(
        "lines of JSON", [json.dumps(it).encode() + b"\n" for it in (*HELLO[:2], chunk({}, "stop"))]
    ),
    hello("a whole completion", [json.dumps(WHOLE).encode()], content_type="application/json"),
    hello("a whole completion as an event", [WHOLE, DONE]),
    hello("list of chunks", [[*HELLO[:2], chunk({}, "stop")], DONE]),
    hello("content null", between(say(None))),
    hello("content missing", between(chunk({"role": "assistant"}))),
    hello("delta null", between({"choices": [{"index": 0, "delta": None}]})),
    hello("choices null", between({"choices": None})),
    hello("choice null", between({"choices": [None]})),
    hello("choices an object", [{"choices": {"delta": {"content": "hello"}}}, *end()]),
    hello("no index", [{"choices": [{"delta": {"content": "hello"}}]}, *end()]),
    hello("second choice", between(SECOND)),
    hello(
        "second choice beside",
        [{"choices": [SECOND["choices"][0], chunk({"content": "hello"})["choices"][0]]}, *end()],
    ),
    hello(
        "content in parts",
        [say([{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]), *end()],
    ),
    hello("completion's text", [{"choices": [{"index": 0, "text": "hello"}]}, *end()]),
    hello(
        "Azure's filter first",
        [{"id": "", "model": "", "choices": [], "prompt_filter_results": []}, *HELLO],
    ),
    hello("no id, no model", [{"choices": [{"delta": {"content": "hello"}}]}, *end()]),
    hello("odd types", [say("hello", id=5, created="x", model=None, service_tier=9), *end()]),
    Odd("a pair in two chunks", [say("a\ud83d"), say("\ude00b"), *end()], "a😀b"),
    Odd(
        "a pair, a ping between",
        [say("a\ud83d"), b": p\n\n", say(""), say("\ude00b"), *end()],
        "a😀b",
    ),
    Odd("half a pair at the end", [say("a\ud83d"), *end()], "a?"),
    Odd("half a pair in the text", [say("a\ud83db"), *end()], "a?b"),
    Odd("low half alone", [say("\ude00b"), *end()], "?b"),
    Odd(
        "surrogates as bytes",
        [event(json.dumps(say("PAIR")).replace("PAIR", "\ud83d\ude00")), *end()],
        "😀",
    ),
    Odd("a broken byte", [event(say("aXb")).replace(b"X", b"\xff"), *end()], "a\ufffdb"),
    Odd(
        "a character in two writes",
        [*re.split(b"(?<=\xc3)", event(json.dumps(say("é"), ensure_ascii=False))), *end()],
        "é",
    ),
    Odd(
        "raw line separator",
        [event(json.dumps(say("a\u2028b"), ensure_ascii=False)), *end()],
        "a\u2028b",
    ),
    Odd("raw tab", [event(say("aXb")).replace(b"X", b"\t"), *end()], "a\tb"),
    Odd("NUL", [say("a\0b"), *end()], "a\0b"),
    Odd("blank words", [say(" "), say("\n"), say("a"), say(" "), *end()], " \na "),
    Odd(
        "tags stay",
        [say("<think>"), say("a"), say("</think>"), say("b"), *end()],
        "<think>a</think>b",
    ),
    Odd(
        "refusal",
        [chunk({"refusal": "I can"}), chunk({"refusal": "not."}), *end()],
        "I cannot.",
        "content_filter",
    ),
    Odd("refusal null", [chunk({"content": "a", "refusal": None}), *end()], "a"),
    Odd(
        "reasoning_content",
        [chunk({"reasoning_content": "hm"}), say("a"), *end()],
        "a",
        thoughts="hm",
    ),
    Odd("reasoning", [chunk({"reasoning": "hm"}), say("a"), *end()], "a", thoughts="hm"),
    Odd(
        "both the same",
        [chunk({"reasoning": "hm", "reasoning_content": "hm"}), say("a"), *end()],
        "a",
        thoughts="hm",
    ),
    Odd("reasoning_text", [chunk({"reasoning_text": "hm"}), say("a"), *end()], "a", thoughts="hm"),
    Odd(
        "reasoning an object",
        [chunk({"reasoning": {"content": "hm"}}), say("a"), *end()],
        "a",
        thoughts="hm",
    ),
    Odd(
        "thinking parts",
        [
            say([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
            say("a"),
            *end(),
        ],
        "a",
        thoughts="hm",
    ),
    Odd(
        "reasoning, half a pair",
        [chunk({"reasoning": "\ud83d"}), chunk({"reasoning": "\ude00"}), say("a"), *end()],
        "a",
        thoughts="😀",
    ),
    Odd("reasoning null", [chunk({"reasoning": None, "content": "a"}), *end()], "a"),
]
