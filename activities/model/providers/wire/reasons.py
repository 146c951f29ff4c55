"""Finish reasons: what the words of a hundred servers mean. Pure."""

from __future__ import annotations

import re

_WORDS = {
    "stop": "stop end_turn eos eos_token stop_sequence stop_token complete completed finished"
    " finish end done pause_turn",
    "tool_calls": "tool_calls tool_call function_call tool_use tool",
    "length": "length max_tokens model_length max_output_tokens max_length token_limit"
    " model_context_window_exceeded context_length too_long incomplete",
    "content_filter": "content_filter content_filtered safety sensitive guardrail_intervened"
    " refusal recitation blocklist prohibited_content spii image_safety moderation blocked"
    " language",
    "error": "error network_error insufficient_system_resource abort aborted cancelled canceled"
    " timeout failed engine_error malformed_function_call unexpected_tool_call server_error"
    " too_many_tool_calls internal_error missing_thought_signature",
}
_MEANING = {word: reason for reason, words in _WORDS.items() for word in words.split()}
_PIECES = (
    ("error", ("error", "malformed", "fail", "rate_limit")),
    ("content_filter", ("filter", "safety", "prohibited", "blocked", "moderat")),
    ("stop", ("stop_", "eos", "end_of")),
    ("length", ("length", "token", "truncat", "limit")),
)
"""What a word that we do not know means if it contains one of these; the first that fits."""
_WEIGHT = {"unknown": 0, "other": 1, "stop": 2, "tool_calls": 3}
_WEIGHT |= {"length": 4, "content_filter": 5, "error": 6}
_HUMP = re.compile("(?<=[a-z])(?=[A-Z])")


def meaning(word: str) -> str:
    """`stop`, `tool_calls`, `length`, `content_filter`, `error`, `other` or `unknown`.

    `unknown`: the word says nothing; `other`: one that we do not know. `maxTokens`, `MAX_TOKENS`,
    `max-tokens` and `FinishReason.MAX_TOKENS` are one word.
    """
    plain = _HUMP.sub("_", word.strip()[:100].rpartition(".")[2]).lower()
    plain = re.sub(r"[-\s]+", "_", plain).removeprefix("finish_reason_")
    if plain in ("", "null", "none", "unspecified"):
        return "unknown"
    if plain in _MEANING:
        return _MEANING[plain]
    for reason, pieces in _PIECES:
        if any(piece in plain for piece in pieces):
            return reason
    return "other"


def outweighs(word: str, before: str) -> bool:
    """True if the word says worse of an answer than the one before, as some servers do later."""
    return _WEIGHT[meaning(word)] > _WEIGHT[meaning(before)]
