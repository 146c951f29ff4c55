"""Oddities: how answers end, and calls that are cut off."""

from __future__ import annotations

from tests.activities.model.providers.wire.odd import (
    CALC,
    DONE,
    ONE,
    SUM,
    Odd,
    call,
    chunk,
    end,
    say,
    used,
)

CUT: dict[str, object] = {"cut_off_json": ""}
HALF = '{"expression": "1'
HALF_CUT: dict[str, object] = {"cut_off_json": HALF}
WHOLE_CUT: dict[str, object] = {"cut_off_json": SUM}

ENDINGS = [
    Odd("error reason", [say("half"), *end("error")], error="finish reason 'error'"),
    Odd("network_error", [say("half"), *end("network_error")], error="network_error"),
    Odd("DeepSeek has no resources", [*end("insufficient_system_resource")], error="resource"),
    Odd("abort", [say("half"), *end("abort")], error="abort"),
    Odd("error after stop", [say("a"), chunk({}, "stop"), *end("error")], error="'error'"),
    Odd("done without reason", [say("whole"), DONE], "whole", "unknown", estimated=True),
    Odd("null as a word", [say("whole"), chunk({}, "null"), DONE], "whole", "unknown"),
    Odd("reason is empty", [say("whole", usage=None), chunk({}, ""), DONE], "whole", "unknown"),
    Odd("unknown reason", [say("whole"), *end("because")], "whole", "other"),
    Odd("no done", [say("whole"), chunk({}, "stop")], "whole"),
    Odd("no end", [say("half")], error="broke off"),
    Odd("no end after a call", [call(0, CALC, SUM)], error="broke off"),
    Odd("nothing at all", [b""], error="broke off"),
    Odd("only pings", [b": ping\n\n"] * 3, error="broke off"),
    Odd("reset in the middle", [say("half")], error="rehearsal: ", ends="reset"),
    Odd("reset after the reason", [say("whole"), chunk({}, "stop")], "whole", ends="reset"),
    Odd("open after done", [say("whole"), *end()], "whole", usage=(7, 3), ends="open"),
    Odd("eos", [say("whole"), *end("eos")], "whole"),
    Odd("end_turn", [say("whole"), *end("end_turn")], "whole"),
    Odd("STOP", [say("whole"), *end("STOP")], "whole"),
    Odd("stop in each chunk", [say("a"), chunk({"content": "b"}, "stop"), *end()], "ab"),
    Odd("text after the reason", [chunk({"content": "a"}, "stop"), say("b"), DONE], "ab"),
    Odd("MAX_TOKENS", [say("half"), *end("MAX_TOKENS")], "half", "length"),
    Odd("max_tokens", [say("half"), *end("max_tokens")], "half", "length"),
    Odd("model_length", [say("half"), *end("model_length")], "half", "length"),
    Odd("SAFETY", [say("half"), *end("SAFETY")], "half", "content_filter"),
    Odd("sensitive", [say("half"), *end("sensitive")], "half", "content_filter"),
    Odd("filtered in mid-answer", [say("half"), *end("content_filter")], "half", "content_filter"),
    Odd(
        "no call arrived", [call(0, CALC, ""), *end("length")], reason="length", calls=[(CALC, CUT)]
    ),
    Odd(
        "no arguments, filtered",
        [call(0, CALC, ""), *end("content_filter")],
        reason="content_filter",
        calls=[(CALC, CUT)],
    ),
    Odd(
        "half an argument",
        [call(0, CALC, HALF), *end("length")],
        reason="length",
        calls=[(CALC, HALF_CUT)],
    ),
    Odd(
        "whole by its looks, cut by its reason",
        [call(0, CALC, SUM), *end("length")],
        reason="length",
        calls=[(CALC, WHOLE_CUT)],
    ),
    Odd(
        "second call cut",
        [call(0, CALC, SUM), call(1, CALC, HALF), *end("MAX_TOKENS")],
        reason="length",
        calls=[(CALC, WHOLE_CUT), (CALC, HALF_CUT)],
    ),
    Odd("whole call, done alone", [call(0, CALC, SUM), DONE], reason="tool_calls", calls=[ONE]),
    Odd(
        "half a call, done alone",
        [call(0, CALC, HALF), DONE],
        reason="tool_calls",
        calls=[(CALC, HALF_CUT)],
    ),
    Odd(
        "bare call, done alone", [call(0, CALC, ""), DONE], reason="tool_calls", calls=[(CALC, CUT)]
    ),
    Odd(
        "bare call, odd reason",
        [call(0, CALC, ""), *end("because")],
        reason="tool_calls",
        calls=[(CALC, CUT)],
    ),
    Odd("call and error", [call(0, CALC, SUM), *end("error")], error="'error'"),
    Odd(
        "bare call",
        [call(0, CALC, ""), *end("tool_calls")],
        reason="tool_calls",
        calls=[(CALC, {})],
    ),
    Odd("calls and stop", [call(0, CALC, SUM), *end("stop")], reason="tool_calls", calls=[ONE]),
    Odd(
        "function_call",
        [call(0, CALC, SUM), *end("function_call")],
        reason="tool_calls",
        calls=[ONE],
    ),
    Odd("tool_use", [call(0, CALC, SUM), *end("tool_use")], reason="tool_calls", calls=[ONE]),
    Odd("done without brackets", [say("whole"), "DONE"], "whole", "unknown"),
    Odd("done in quotes", [say("whole"), '"[DONE]"'], "whole", "unknown"),
    Odd(
        "done in the same event",
        [b'data: {"choices":[{"delta":{"content":"a"}}]}\ndata: [DONE]\n\n'],
        "a",
        "unknown",
    ),
    Odd(
        "usage after the reason",
        [say("whole"), chunk({}, "stop"), used(5, 2)],
        "whole",
        usage=(5, 2),
    ),
    Odd("one chunk has it all", [chunk({"content": "whole"}, "stop"), DONE], "whole"),
]
