"""What a provider needs back with its own answers, in each protocol, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from relayline.activities.model.port import ModelPart, Prompt
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.messages import AssistantMessage, Message
from tests.activities.model.providers.asking import (
    answered,
    ask,
    calls_of,
    finish_of,
    prompt,
    text_of,
    thoughts_of,
)
from tests.activities.model.providers.wire.odd import CALC, SUM, Body, call, chunk, end, event, say

pytestmark = pytest.mark.slow

CHAT, ROUTER, OTHER = "compatible:thinker", "compatible:routed", "compatible:other"
CLAUDE = "anthropic:claude-sonnet-5-5"
OPENAI, GEMINI = "openai:gpt-5", "google:gemini-2.5-pro"


def named(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {it['type']}\n".encode() + event(it) for it in events)


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    told = [{"type": "content_block_delta", "index": index, "delta": it} for it in deltas]
    first = {"type": "content_block_start", "index": index, "content_block": start}
    return [first, *told, {"type": "content_block_stop", "index": index}]


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
MESSAGES = named(
    {
        "type": "message_start",
        "message": {**MESSAGE, "usage": {"input_tokens": 9, "output_tokens": 1}},
    },
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "SIGNED"},
    ),
    {"type": "ping"},
    *block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "I add."}),
    *block(
        2,
        {"type": "tool_use", "id": "toolu_1", "name": CALC, "input": {}},
        {"type": "input_json_delta", "partial_json": SUM},
    ),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "SECRET"}
ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_theirs", "name": CALC}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-5",
    "tools": [],
}
RESPONSE |= {"parallel_tool_calls": True, "tool_choice": "auto"}
USED: dict[str, Any] = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
USED |= {"input_tokens_details": {"cached_tokens": 0}}
USED |= {"output_tokens_details": {"reasoning_tokens": 0}}
WHOLE_ITEM = {**ITEM, "arguments": SUM, "status": "completed"}
RESPONSES = named(
    {
        "type": "response.created",
        "sequence_number": 0,
        "response": {**RESPONSE, "output": [], "status": "in_progress"},
    },
    {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": REASONING,
    },
    {
        "type": "response.output_item.done",
        "sequence_number": 2,
        "output_index": 0,
        "item": REASONING,
    },
    {
        "type": "response.output_item.added",
        "sequence_number": 3,
        "output_index": 1,
        "item": {**ITEM, "arguments": ""},
    },
    {
        "type": "response.function_call_arguments.delta",
        "sequence_number": 4,
        "output_index": 1,
        "item_id": "fc_1",
        "delta": SUM,
    },
    {
        "type": "response.output_item.done",
        "sequence_number": 5,
        "output_index": 1,
        "item": WHOLE_ITEM,
    },
    {
        "type": "response.completed",
        "sequence_number": 6,
        "response": {
            **RESPONSE,
            "output": [REASONING, WHOLE_ITEM],
            "status": "completed",
            "usage": USED,
        },
    },
)
SIGNED_CALL = {
    "functionCall": {"name": CALC, "args": json.loads(SUM)},
    "thoughtSignature": "U0lHTkVE",
}
CANDIDATE = {
    "content": {"role": "model", "parts": [SIGNED_CALL]},
    "finishReason": "STOP",
    "index": 0,
}
COUNTS = {"promptTokenCount": 9, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}
GENERATED = event({"candidates": [CANDIDATE], "usageMetadata": COUNTS})
DETAIL = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"}
ENCRYPTED = {"type": "reasoning.encrypted", "index": 1, "id": "r_1", "data": "SECRET"}
ROUTED: Body = [
    chunk({"reasoning": "I should ", "reasoning_details": [{**DETAIL, "text": "I should "}]}),
    chunk({"reasoning": "add", "reasoning_details": [{**DETAIL, "text": "add"}]}),
    chunk({"reasoning_details": [{**DETAIL, "text": "", "signature": "SIGNED"}, ENCRYPTED]}),
    call(0, CALC, SUM, id_="a"),
    *end("tool_calls"),
]
FIRST: dict[str, Body] = {
    "/chat/completions": [
        chunk({"reasoning_content": "I should "}),
        chunk({"reasoning_content": "add"}),
        say("I add."),
        call(0, CALC, SUM, extra_content={"google": {"thought_signature": "SIGNED"}}),
        *end("tool_calls"),
    ],
    "/messages": [MESSAGES],
    "/responses": [RESPONSES],
    ":streamGenerateContent": [GENERATED],
}


class Provider:
    """Says the same in each protocol, and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1].partition("?")[0]
        length = int(head.lower().partition("content-length:")[2].split()[0])
        self.asked.append(json.loads(await reader.readexactly(length)))
        body = next(body for tail, body in FIRST.items() if path.endswith(tail))
        if self.asked[-1].get("model") == "routed":
            body = ROUTED
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"connection: close\r\n\r\n")
        for it in body:
            writer.write(it if isinstance(it, bytes) else event(it))
        await writer.drain()
        writer.close()


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Provider, str]]:
    provider = Provider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "sk-pretended")
    for name in ("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("OPENAI_BASE_URL", url + "/v1")
    yield provider, url
    server.close()


async def two_turns(url: str, model: str, then: str = "") -> list[ModelPart]:
    """An answer with a call, and the next request with its result; perhaps to another model."""
    async with aclosing(provider_for(ProviderConfig(compatible_base_url=url + "/v1"))) as providers:
        parts = await ask(providers(model), prompt("add", model=model))
        answer, *results = answered(parts, ["2"])
        assert isinstance(answer, AssistantMessage)
        kept = answer.model_copy(update={"kept": finish_of(parts).kept})
        said: list[Message | str] = [
            "add",
            AssistantMessage.model_validate_json(kept.model_dump_json()),
            *results,
        ]
        asked: Prompt = prompt(*said, model=then or model)
        await ask(providers(then or model), asked)
    return parts


@pytest.mark.parametrize(
    ("model", "back"),
    [
        (CHAT, ['"reasoning_content": "I should add"', '"thought_signature": "SIGNED"']),
        (
            ROUTER,
            [
                '"text": "I should add", "signature": "SIGNED"}',
                '{"type": "reasoning.encrypted", "index": 1, "id": "r_1", "data": "SECRET"}',
            ],
        ),
        (CLAUDE, ['"thinking": "hm"', '"signature": "SIGNED"', '"type": "thinking"']),
        (OPENAI, ['"encrypted_content": "SECRET"', '"call_id": "call_theirs"']),
        (GEMINI, ["U0lHTkVE"]),
    ],
)
async def test_provider_gets_back_what_it_needs(
    provider: tuple[Provider, str], model: str, back: list[str]
) -> None:
    server, url = provider
    parts = await two_turns(url, model)
    assert [(it.name, it.arguments) for it in calls_of(parts)] == [(CALC, json.loads(SUM))]
    assert finish_of(parts).reason == "tool_calls"
    assert not finish_of(parts).usage.estimated
    first, second = (json.dumps(asked) for asked in server.asked)
    for piece in back:
        assert piece not in first
        assert piece in second, second


@pytest.mark.parametrize(
    ("model", "then"),
    [(CHAT, OTHER), (ROUTER, OTHER), (CLAUDE, CHAT), (CHAT, CLAUDE), (OPENAI, CLAUDE)],
)
async def test_another_provider_gets_the_message_alone(
    provider: tuple[Provider, str], model: str, then: str
) -> None:
    server, url = provider
    await two_turns(url, model, then)
    sent = json.dumps(server.asked[1])
    assert CALC in sent
    assert not [it for it in ("hm", "I should", "SIGNED", "SECRET", "theirs") if it in sent]


async def test_claude_is_heard(provider: tuple[Provider, str]) -> None:
    parts = await two_turns(provider[1], CLAUDE)
    assert (text_of(parts), thoughts_of(parts)) == ("I add.", "hm")
    assert (finish_of(parts).usage.input_tokens, finish_of(parts).usage.output_tokens) == (9, 5)
