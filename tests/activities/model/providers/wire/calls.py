"""Oddities: tool calls, and how their pieces are told apart."""

from __future__ import annotations

from typing import Any

from tests.activities.model.providers.wire.odd import (
    CALC,
    DONE,
    MORE,
    ONE,
    READ,
    SUM,
    TWO,
    Body,
    Odd,
    call,
    chunk,
    end,
)

FIN = end("tool_calls")


def asks(name: str, body: Body, *calls: tuple[str, dict[str, Any]]) -> Odd:
    return Odd(name, [*body, *FIN], reason="tool_calls", calls=list(calls))


def whole(message: dict[str, Any]) -> Body:
    return [{"choices": [{"message": message, "finish_reason": "tool_calls"}]}]


F = {"name": CALC, "arguments": SUM}
CALLS = [
    asks(
        "two ids at index 0", [call(0, CALC, SUM, id_="a"), call(0, CALC, MORE, id_="b")], ONE, TWO
    ),
    asks(
        "the same in pieces",
        [
            call(0, CALC, "", id_="a"),
            call(0, None, SUM),
            call(0, CALC, "", id_="b"),
            call(0, None, MORE),
        ],
        ONE,
        TWO,
    ),
    asks(
        "two ids, no arguments",
        [call(0, CALC, "", id_="a"), call(0, READ, "", id_="b")],
        (CALC, {}),
        (READ, {}),
    ),
    asks("no ids at index 0", [call(0, CALC, SUM), call(0, CALC, MORE)], ONE, TWO),
    asks("no ids, no index", [call(None, CALC, SUM), call(None, CALC, MORE)], ONE, TWO),
    asks(
        "ids, no index", [call(None, CALC, SUM, id_="a"), call(None, CALC, MORE, id_="b")], ONE, TWO
    ),
    asks(
        "no index, in pieces", [call(None, CALC, SUM[:9], id_="a"), call(None, None, SUM[9:])], ONE
    ),
    asks("one id for both", [call(0, CALC, SUM, id_="x"), call(1, CALC, MORE, id_="x")], ONE, TWO),
    asks("empty ids", [call(0, CALC, SUM, id_=""), call(1, CALC, MORE, id_="")], ONE, TWO),
    asks("index from 1", [call(1, CALC, SUM), call(2, CALC, MORE)], ONE, TWO),
    asks("index with gaps", [call(0, CALC, SUM), call(7, CALC, MORE)], ONE, TWO),
    asks("index is text", [chunk({"tool_calls": [{"index": "0", "id": "a", "function": F}]})], ONE),
    asks(
        "index is a list", [chunk({"tool_calls": [{"index": [], "id": "a", "function": F}]})], ONE
    ),
    asks(
        "interleaved",
        [call(0, CALC, ""), call(1, CALC, ""), call(0, None, SUM), call(1, None, MORE)],
        ONE,
        TWO,
    ),
    asks(
        "two in a chunk",
        [chunk({"tool_calls": [{"index": 0, "function": F}, {"index": 1, "function": F}]})],
        ONE,
        ONE,
    ),
    asks(
        "name repeated, one id",
        [call(0, CALC, SUM[:8], id_="a"), call(0, CALC, SUM[8:], id_="a")],
        ONE,
    ),
    asks("name repeated, no id", [call(0, CALC, SUM[:8]), call(0, CALC, SUM[8:])], ONE),
    asks(
        "name repeated, after nothing",
        [call(0, CALC, ""), call(0, CALC, SUM[:8]), call(0, CALC, SUM[8:])],
        ONE,
    ),
    asks(
        "a new id in each piece",
        [call(0, CALC, SUM[:8], id_="a"), call(0, CALC, SUM[8:], id_="b")],
        ONE,
    ),
    asks(
        "a new id, no name", [call(0, CALC, SUM[:8], id_="a"), call(0, None, SUM[8:], id_="b")], ONE
    ),
    asks(
        "a new index in each piece", [call(0, CALC, SUM[:8], id_="a"), call(1, None, SUM[8:])], ONE
    ),
    asks("empty name in each piece", [call(0, CALC, SUM[:8], id_="a"), call(0, "", SUM[8:])], ONE),
    asks("name in two pieces", [call(0, "calc", None, id_="a"), call(0, "ulate", SUM)], ONE),
    asks("name grows", [call(0, "calc", None, id_="a"), call(0, CALC, SUM)], ONE),
    asks("name after the arguments", [call(0, None, SUM, id_="a"), call(0, CALC, "")], ONE),
    asks("arguments as an object", [call(0, CALC, {"expression": "1+1"})], ONE),
    asks("arguments null", [call(0, CALC, None), call(0, None, SUM)], ONE),
    asks("arguments encoded twice", [call(0, CALC, '"{\\"expression\\": \\"1+1\\"}"')], ONE),
    asks(
        "arguments at last once more",
        [call(0, CALC, SUM[:9]), call(0, None, SUM[9:]), call(0, None, SUM)],
        ONE,
    ),
    asks(
        "arguments so far each time",
        [call(0, CALC, SUM[:9]), call(0, None, SUM[:15]), call(0, None, SUM)],
        ONE,
    ),
    asks(
        "arguments with a line break",
        [call(0, CALC, '{"expression": "1\\n+1"}')],
        (CALC, {"expression": "1\n+1"}),
    ),
    asks("arguments that are blank", [call(0, CALC, " \n")], (CALC, {})),
    asks("arguments that are no JSON", [call(0, CALC, "1+1")], (CALC, {"malformed_json": "1+1"})),
    asks("arguments that are a list", [call(0, CALC, "[1]")], (CALC, {"malformed_json": "[1]"})),
    asks(
        "arguments that are half", [call(0, CALC, '{"a": ')], (CALC, {"malformed_json": '{"a": '})
    ),
    asks(
        "arguments, half a pair each",
        [call(0, CALC, '{"a": "\ud83d'), call(0, None, '\ude00"}')],
        (CALC, {"a": "😀"}),
    ),
    asks(
        "an empty piece at the end",
        [call(0, CALC, SUM), chunk({"tool_calls": [{"index": 1}]})],
        ONE,
    ),
    asks("an empty piece first", [chunk({"tool_calls": [{}]}), call(0, CALC, SUM)], ONE),
    asks(
        "null pieces",
        [chunk({"tool_calls": None}), chunk({"tool_calls": [None]}), call(0, CALC, SUM)],
        ONE,
    ),
    asks("one piece, no list", [chunk({"tool_calls": {"index": 0, "function": F}})], ONE),
    asks(
        "function_call",
        [
            chunk({"function_call": {"name": CALC, "arguments": ""}}),
            chunk({"function_call": {"arguments": SUM}}),
        ],
        ONE,
    ),
    asks("function is flat", [chunk({"tool_calls": [{"index": 0, "id": "a", **F}]})], ONE),
    asks("no type", [call(0, CALC, SUM, id_="a", type=None)], ONE),
    asks(
        "in a message",
        whole(
            {
                "content": None,
                "tool_calls": [
                    {"id": "a", "function": F},
                    {"id": "b", "function": {**F, "arguments": MORE}},
                ],
            }
        ),
        ONE,
        TWO,
    ),
    asks(
        "in the last chunk",
        [chunk({"tool_calls": [{"index": 0, "function": F}]}, "tool_calls"), DONE],
        ONE,
    ),
    Odd(
        "calls without end",
        [call(i, CALC, SUM) for i in range(300)] + FIN,
        error="more than 256 tool calls",
    ),
]
