"""Oddities of the same kinds as the others: what else servers do."""

from __future__ import annotations

import json

from tests.activities.model.providers.wire.odd import (
    CALC,
    DONE,
    MORE,
    ONE,
    READ,
    SUM,
    Body,
    Odd,
    call,
    chunk,
    end,
    event,
    say,
    used,
)

HELLO = [say("hel"), say("lo"), *end()]
FIN = end("tool_calls")
OTHER = (READ, {"expression": "2+2"})
CUT: dict[str, object] = {"cut_off_json": SUM}
F = {"name": CALC, "arguments": SUM}


CUT_BY = ["LENGTH", "max-tokens", "maxTokens", "MaxTokens", "max_completion_tokens", "truncated"]
CUT_BY += ["FinishReason.MAX_TOKENS", "FINISH_REASON_MAX_TOKENS", "incomplete"]


def hello(name: str, body: Body, reason: str = "stop") -> Odd:
    return Odd(name, body, "hello", reason)


def cut(word: str, reason: str) -> Odd:
    return Odd(
        f"cut by {word}", [call(0, CALC, SUM), *end(word)], reason=reason, calls=[(CALC, CUT)]
    )


def again(**message: object) -> Body:
    return [{"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}, DONE]


FRAMING = [
    hello("NUL first", [b"\0\n\n", *HELLO]),
    hello(
        "NUL before the JSON", [b"data: \0" + json.dumps(it).encode() + b"\n\n" for it in HELLO[:3]]
    ),
    hello("NUL behind the JSON", [event(it, "\0\0\n\n") for it in HELLO[:3]]),
    hello("data twice", [event(it, field="data: data: ") for it in HELLO]),
    hello("thousands of comments", [HELLO[0], b": ping\n" * 5000, *HELLO[1:]]),
    hello(
        "thousands of lines of JSON",
        [b"{}\n" * 2000, *(json.dumps(it).encode() + b"\n" for it in HELLO[:3])],
    ),
    hello("thousands of lines of data", [b"data: {}\n" * 2000, *(event(it, "\n") for it in HELLO)]),
    hello("event: done", [*HELLO[:2], b"event: done\ndata: {}\n\n"], "unknown"),
    hello("event: end, no data", [*HELLO[:2], b"event: end\n\n"], "unknown"),
    hello("[done]", [*HELLO[:2], "[done]"], "unknown"),
    hello("delta is the text", [{"choices": [{"index": 0, "delta": "hello"}]}, *end()]),
    hello("delta is a list", [{"choices": [{"index": 0, "delta": ["hello"]}]}, *end()]),
    hello("content an object", [say({"type": "text", "text": "hello"}), *end()]),
    hello("all of it once more", [*HELLO[:2], *again(content="hello")]),
    hello("the last message has more", [HELLO[0], *again(content="hello")]),
    Odd(
        "comment in an event",
        [b'data: {"choices":[{"delta":\n: p\ndata: {"content":"a"}}]}\n\n', *end()],
        "a",
    ),
    Odd(
        "broken byte beside a pair",
        [event(json.dumps(say("XY")).replace("Y", "\ud83d\ude00")).replace(b"X", b"\xff"), *end()],
        "\ufffd😀",
    ),
    Odd(
        "a part that refuses",
        [say([{"type": "refusal", "refusal": "no"}]), *end()],
        "no",
        "content_filter",
    ),
    Odd(
        "the JSON has something before it",
        ["x " + json.dumps(HELLO[0]), *HELLO[1:]],
        error="not JSON",
    ),
    Odd("nested too deeply", ["[" * 900 + "]" * 900, *HELLO], error="nested too deeply"),
]
REASONS = [
    *(cut(word, "length") for word in CUT_BY),
    *(cut(word, "content_filter") for word in ("content-filter", "contentFilter", "ContentFilter")),
    Odd(
        "toolCalls", [call(0, CALC, ""), *end("toolCalls")], reason="tool_calls", calls=[(CALC, {})]
    ),
    Odd("blanks around it", [say("a"), *end(" stop ")], "a"),
    Odd("a blank", [say("a"), chunk({}, " "), DONE], "a", "unknown"),
    *(
        Odd(f"reason {it!r}", [say("a"), chunk({}, it), DONE], "a", "unknown")
        for it in (False, 0, ["stop"], {"type": "stop"})
    ),
    Odd("stop, then ERROR", [say("a"), chunk({}, "stop"), *end("ERROR")], error="'ERROR'"),
    Odd(
        "tool_calls, then length",
        [call(0, CALC, SUM), chunk({}, "tool_calls"), *end("length")],
        reason="length",
        calls=[(CALC, CUT)],
    ),
    Odd(
        "stop from the first, then length",
        [chunk({"content": "a"}, "stop"), *end("length")],
        "a",
        "length",
    ),
    Odd(
        "OpenRouter's own reason is milder",
        [
            call(0, CALC, SUM),
            {
                "choices": [
                    {"delta": {}, "finish_reason": "stop", "native_finish_reason": "MAX_TOKENS"}
                ]
            },
            DONE,
        ],
        reason="length",
        calls=[(CALC, CUT)],
    ),
    Odd(
        "OpenRouter's own reason is none yet",
        [
            {
                "choices": [
                    {
                        "delta": {"content": "a"},
                        "finish_reason": None,
                        "native_finish_reason": "stop",
                    }
                ]
            }
        ],
        error="broke off",
    ),
]
CALLED = [
    Odd(
        "index is a float",
        [
            call(0.0, CALC, SUM[:8]),
            call(1.0, READ, MORE[:8]),
            call(0.0, None, SUM[8:]),
            call(1.0, None, MORE[8:]),
            *FIN,
        ],
        reason="tool_calls",
        calls=[ONE, OTHER],
    ),
    Odd(
        "index is text or not",
        [call(0, CALC, SUM[:8]), call("0", None, SUM[8:]), *FIN],
        reason="tool_calls",
        calls=[ONE],
    ),
    Odd(
        "parameters",
        [
            chunk(
                {"tool_calls": [{"function": {"name": CALC, "parameters": {"expression": "1+1"}}}]}
            ),
            *FIN,
        ],
        reason="tool_calls",
        calls=[ONE],
    ),
    Odd(
        "blanks around the name",
        [call(0, f" {CALC}\n", SUM), *FIN],
        reason="tool_calls",
        calls=[ONE],
    ),
    Odd("id is a number", [call(0, CALC, SUM, id_=5), *FIN], reason="tool_calls", calls=[ONE]),
    Odd(
        "id is long",
        [call(0, CALC, SUM, id_="x" * 100_000), *FIN],
        reason="tool_calls",
        calls=[ONE],
    ),
    Odd(
        "the calls once more, with ids",
        [call(0, CALC, SUM, id_="a"), *again(tool_calls=[{"id": "a", "function": F}])],
        reason="tool_calls",
        calls=[ONE],
    ),
    Odd(
        "the calls once more, without",
        [call(0, CALC, SUM), *again(content=None, tool_calls=[{"function": F}])],
        reason="tool_calls",
        calls=[ONE],
    ),
    *(
        Odd(
            f"arguments {it!r}",
            [call(0, CALC, it), *FIN],
            reason="tool_calls",
            calls=[(CALC, {"malformed_json": it})],
        )
        for it in (
            "null",
            "[]",
            '""',
            SUM + "}",
            SUM + MORE,
            "{'a': 1}",
            '{"a": NaN}',
            '{"a": "\\ud83d"}',
        )
    ),
]
SAID = [
    *(
        Odd(f"words in {it}", [it], error="W")
        for it in (
            {"Message": "W"},
            {"ERROR": "W"},
            {"type": "exception", "text": "W"},
            {"message": {"error": "W"}},
        )
    ),
    Odd(
        "words in an event of its own",
        [say("a"), b"event: failed\n" + event({"info": "W"})],
        error="W",
    ),
    Odd("an error in the delta", [{"choices": [{"delta": {"error": "W"}}]}], error=": W"),
    Odd("Internal Server Error", ["Internal Server Error"], error=": Internal Server Error"),
    Odd(
        "usage after [DONE]",
        [say("w"), chunk({}, "stop"), DONE, used(1000, 40)],
        "w",
        usage=(1000, 40),
        estimated=False,
    ),
    Odd("text after [DONE]", [say("w"), chunk({}, "stop"), DONE, say("x"), {"error": "late"}], "w"),
]
BROTHERS = [*FRAMING, *REASONS, *CALLED, *SAID]
