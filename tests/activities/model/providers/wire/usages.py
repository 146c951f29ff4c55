"""Oddities: usage."""

from __future__ import annotations

from typing import Any

from tests.activities.model.providers.wire.odd import DONE, Body, Odd, chunk, say, used

STOP = chunk({}, "stop")
COUNT = {"prompt_tokens": 1000, "completion_tokens": 40, "total_tokens": 1040}


def totals(*made: int) -> Body:
    return [say("w", usage={"prompt_tokens": 1000, "completion_tokens": n}) for n in made]


def usage(name: str, body: Body, *count: int, estimated: bool = False) -> Odd:
    both = (count[0], count[1]) if count else None
    text = "".join("w" for it in body if isinstance(it, dict) and "'w'" in str(it))
    return Odd(name, body, text, usage=both, estimated=estimated)


def counted(**more: Any) -> Body:
    return [say("w"), STOP, {"choices": [], "usage": {**COUNT, **more}}, DONE]


USAGES = [
    usage("running totals", [*totals(1, 20, 40), STOP, DONE], 1000, 40),
    usage(
        "running totals and the last",
        [*totals(1, 40), chunk({}, "stop", usage=COUNT), DONE],
        1000,
        40,
    ),
    usage("the last is nought", [*totals(1, 40), STOP, used(0, 0), DONE], 1000, 40),
    usage("the last is null", [*totals(1, 40), STOP, used(None, None), DONE], 1000, 40),
    usage("told twice", [say("w"), STOP, used(1000, 40), used(1000, 40), DONE], 1000, 40),
    usage("with the reason", [say("w"), chunk({}, "stop", usage=COUNT), DONE], 1000, 40),
    usage(
        "in the choice (Kimi)",
        [
            say("w"),
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": COUNT}]},
            DONE,
        ],
        1000,
        40,
    ),
    usage("Groq", [say("w"), chunk({}, "stop", x_groq={"usage": COUNT}), DONE], 1000, 40),
    usage(
        "llama.cpp",
        [say("w"), chunk({}, "stop", timings={"prompt_n": 1000, "predicted_n": 40}), DONE],
        1000,
        40,
    ),
    usage(
        "other names",
        [say("w"), STOP, {"choices": [], "usage": {"input_tokens": 9, "output_tokens": 2}}, DONE],
        9,
        2,
    ),
    usage("no choices at all", [say("w"), STOP, {"usage": COUNT}, DONE], 1000, 40),
    usage("choices null", [say("w"), STOP, {"choices": None, "usage": COUNT}, DONE], 1000, 40),
    usage("as text", counted(prompt_tokens="1000"), 1000, 40),
    usage("as floats", counted(completion_tokens=40.0), 1000, 40),
    usage("details null", counted(prompt_tokens_details=None), 1000, 40),
    usage("none", [say("w"), STOP, DONE], estimated=True),
    usage("null", [say("w", usage=None), STOP, DONE], estimated=True),
    usage("empty", [say("w"), STOP, {"choices": [], "usage": {}}, DONE], estimated=True),
    usage("noughts", [say("w"), STOP, used(0, 0), DONE], estimated=True),
    usage("below nought", [say("w"), STOP, used(-1, -1), DONE], estimated=True),
    usage("beyond reason", [say("w"), STOP, used(10**15, 10**15), DONE], estimated=True),
    usage("true", [say("w"), STOP, used(True, True), DONE], estimated=True),
    usage("a list", [say("w"), STOP, {"choices": [], "usage": [1]}, DONE], estimated=True),
    usage("input alone", [say("w"), STOP, used(1000, None), DONE], 1000, 1, estimated=True),
]
