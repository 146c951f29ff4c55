"""Oddities: errors inside an answer with status 200."""

from __future__ import annotations

import json

from tests.activities.model.providers.wire.odd import DONE, Odd, chunk, event, say

W = "WORD OF THE PROVIDER"
JSON, HTML, TEXT = "application/json", "text/html", "text/plain"

ERRORS = [
    Odd("object", [{"error": {"message": W, "code": 502}}, DONE], error=f"{W} (502)"),
    Odd("after some text", [say("half"), {"error": {"message": W, "code": 502}}], error=W),
    Odd("string", [{"error": W}, DONE], error=W),
    Odd("code 400", [{"error": {"message": W, "code": 400}}], error=f"{W} (400)", final=True),
    Odd("code as text", [{"error": {"message": W, "code": "400"}}], error=W, final=True),
    Odd("code 429", [{"error": {"message": W, "code": 429}}], error=f"{W} (429)"),
    Odd("code 401", [{"error": {"message": W, "code": 401}}], error=W, final=True),
    Odd("code beside it", [{"error": {"message": W}, "code": 400}], error=W, final=True),
    Odd("status_code", [{"error": {"message": W, "status_code": 404}}], error=W, final=True),
    Odd(
        "vLLM",
        [{"object": "error", "message": W, "type": "BadRequestError", "code": 400}, DONE],
        error=W,
        final=True,
    ),
    Odd("vLLM in mid-answer", [say("a"), {"object": "error", "message": W, "code": 500}], error=W),
    Odd("type alone", [{"message": W, "type": "invalid_request_error"}], error=W, final=True),
    Odd(
        "invalid_request_error",
        [{"error": {"message": W, "type": "invalid_request_error"}}],
        error=W,
        final=True,
    ),
    Odd("quota", [{"error": {"message": W, "code": "insufficient_quota"}}], error=W, final=True),
    Odd(
        "too long",
        [{"error": {"message": W, "code": "context_length_exceeded"}}],
        error=W,
        final=True,
    ),
    Odd("rate limit", [{"error": {"message": W, "code": "rate_limit_exceeded"}}], error=W),
    Odd(
        "overloaded",
        [{"type": "error", "error": {"type": "overloaded_error", "message": W}}],
        error=W,
    ),
    Odd(
        "Google",
        [{"error": {"code": 400, "message": W, "status": "INVALID_ARGUMENT"}}],
        error=W,
        final=True,
    ),
    Odd("Google in a list", [[{"error": {"code": 503, "message": W}}]], error=f"{W} (503)"),
    Odd("event: error", [b"event: error\n" + event({"message": W})], error=W),
    Odd("event: error, an error", [b"event: error\n" + event({"error": {"message": W}})], error=W),
    Odd("event: error, text", [b"event: error\n" + event(W)], error=W),
    Odd("event: error, no data", [b"event: error\n\n"], error="without a word"),
    Odd(
        "event: error, 400",
        [b"event: error\n" + event({"message": W, "code": 400})],
        error=W,
        final=True,
    ),
    Odd("event without a space", [b"event:error\n" + event({"message": W})], error=W),
    Odd("detail", [{"detail": W}], error=W),
    Odd(
        "FastAPI's details",
        [{"detail": [{"loc": ["body"], "msg": W, "type": "value_error"}]}],
        error=W,
    ),
    Odd("errors", [{"errors": [{"message": W}, {"message": "and more"}]}], error=f"{W}; and more"),
    Odd("message alone", [{"message": W}], error=W),
    Odd(
        "message and code",
        [{"message": W, "code": "InvalidParameter"}],
        error=f"{W} (InvalidParameter)",
        final=True,
    ),
    Odd("Baidu", [{"error_code": 17, "error_msg": W}], error=W),
    Odd("MiniMax", [{"base_resp": {"status_code": 1008, "status_msg": W}}], error=f"{W} (1008)"),
    Odd(
        "MiniMax is well",
        [chunk({"content": "a"}, "stop", base_resp={"status_code": 0, "status_msg": ""}), DONE],
        "a",
    ),
    Odd("Apigee", [{"fault": {"faultstring": W, "detail": {"errorcode": "x"}}}], error=W),
    Odd(
        "in a choice",
        [
            {
                "choices": [
                    {"index": 0, "finish_reason": "error", "error": {"message": W, "code": 502}}
                ]
            }
        ],
        error=f"{W} (502)",
    ),
    Odd(
        "an error in an error",
        [{"error": {"message": json.dumps({"error": {"message": W, "code": 5}})}}],
        error=W,
    ),
    Odd("nested", [{"error": {"error": {"message": W, "code": 400}}}], error=W, final=True),
    Odd("plain text", ["error: " + W], error=W),
    Odd("null beside the text", [say("a", error=None), chunk({}, "stop", error=None), DONE], "a"),
    Odd("empty beside the text", [say("a", error={}), chunk({}, "stop", error=""), DONE], "a"),
    Odd(
        "nulls beside the text",
        [say("a", error={"message": None, "code": None}), chunk({}, "stop"), DONE],
        "a",
    ),
    Odd("JSON body", [json.dumps({"error": {"message": W}}).encode()], error=W, content_type=JSON),
    Odd(
        "JSON body, 400",
        [json.dumps({"error": {"message": W, "code": 400}}).encode()],
        error=W,
        final=True,
        content_type=JSON,
    ),
    Odd("JSON body as events", [json.dumps({"error": {"message": W}}).encode()], error=W),
    Odd(
        "JSON body, indented",
        [json.dumps({"detail": W}, indent=2).encode()],
        error=W,
        content_type=JSON,
    ),
    Odd(
        "JSON after blanks",
        [b" " * 3000, b"\n\n", json.dumps({"error": W}).encode()],
        error=W,
        content_type=JSON,
    ),
    Odd(
        "page",
        [f"<html><style>p {{}}</style><h1>{W}</h1></html>".encode()],
        error=W,
        content_type=HTML,
    ),
    Odd("page as events", [f"<!DOCTYPE html>\n<p>{W}</p>".encode()], error=W),
    Odd("text", [W.encode()], error=W, content_type=TEXT),
    Odd("short text", [b"no"], error="no", content_type=TEXT),
    Odd("words that are no event", [W, say("half")], error=W),
    Odd("no JSON", ['{"choices": [{"delta": {"content": "a'], error="not JSON"),
    Odd("events as text", [say("a"), chunk({}, "stop"), DONE], "a", content_type=TEXT),
    Odd("events as JSON", [say("a"), chunk({}, "stop"), DONE], "a", content_type=JSON),
]
