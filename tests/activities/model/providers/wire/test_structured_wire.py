"""Structured answers over real HTTP: how each provider is asked for one, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import JsonValue

from relayline.activities.model.port import (
    CallPart,
    FinishPart,
    ModelPart,
    Prompt,
    ProviderError,
    ReasoningPart,
    TextPart,
)
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.activities.model.providers.output_modes import OUTPUT_TOOL
from relayline.contracts.messages import AssistantMessage, UserMessage
from tests.activities.model.providers.asking import TOOLS, ask, finish_of, prompt, text_of, tool
from tests.activities.model.providers.wire.odd import Body, call, end, event, say
from tests.activities.model.providers.wire.openais import ended, words
from tests.activities.model.providers.wire.test_kept import MESSAGE, RESPONSE, block, named

pytestmark = pytest.mark.slow

CITY: dict[str, JsonValue] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A city",
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 3}, "people": {"type": "integer"}},
    "required": ["city"],
}
PIECES = ('{"city"', ': "Be', 'rn", "people": 134794}')
JSON = "".join(PIECES)
COMPATIBLE, LOCAL = "compatible:any", "local"
OPENAI, OLD_GEMINI, GEMINI = "openai:gpt-5", "google:gemini-2.5-pro", "google:gemini-3-pro-preview"
CLAUDE, OLD_CLAUDE = "anthropic:claude-sonnet-5-5", "anthropic:claude-of-old"


def claude(*blocks: dict[str, Any], reason: str) -> bytes:
    usage = {"input_tokens": 9, "output_tokens": 1}
    over = {"stop_reason": reason}
    return named(
        {"type": "message_start", "message": {**MESSAGE, "usage": usage}},
        *blocks,
        {"type": "message_delta", "delta": over, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    )


def claude_text(*pieces: str) -> list[dict[str, Any]]:
    deltas = ({"type": "text_delta", "text": it} for it in pieces)
    return block(0, {"type": "text", "text": ""}, *deltas)


def claude_call(index: int, name: str, *pieces: str) -> list[dict[str, Any]]:
    deltas = ({"type": "input_json_delta", "partial_json": it} for it in pieces)
    start = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    return block(index, start, *deltas)


def gemini(*parts: dict[str, Any]) -> list[bytes]:
    content = {"role": "model", "parts": list(parts)}
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 3}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return [event({"candidates": [candidate], "usageMetadata": counts})]


def openai(*events: dict[str, Any]) -> list[bytes]:
    begun = {**RESPONSE, "output": [], "status": "in_progress"}
    told = ({"type": "response.created", "response": begun}, *events)
    return [named(*({**it, "sequence_number": n} for n, it in enumerate(told)))]


class Provider:
    """Says what it is given to say, and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.says: Body = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length:")[2].split()[0])
        self.asked.append(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"connection: close\r\n\r\n")
        for it in self.says:
            writer.write(it if isinstance(it, bytes) else event(it))
        await writer.drain()
        writer.close()


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    provider = Provider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    provider.url = f"{url}/v1"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "sk-pretended")
    for name in ("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(name, provider.url)
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    yield provider
    server.close()


async def answer(model: str, url: str, *, asked: Prompt | None = None) -> list[ModelPart]:
    config = ProviderConfig(compatible_base_url=url, local_base_url=url)
    async with aclosing(provider_for(config)) as providers:
        given = asked or prompt("Where?", model=model)
        return await ask(providers(model), given._replace(output_schema=CITY))


def native_schema(asked: Any) -> Any:
    """The schema where each protocol has it; None if it is asked for in no native way."""
    told = asked.get("response_format", {}).get("json_schema", {}).get("schema")
    told = told or asked.get("text", {}).get("format", {}).get("schema")
    told = told or (asked.get("output_config") or {}).get("format", {}).get("schema")
    config = asked.get("generationConfig", {})
    return told or config.get("responseJsonSchema") or config.get("responseSchema")


NATIVE: list[tuple[str, Body]] = [
    (OPENAI, openai(*words(*PIECES), ended())),
    (LOCAL, [*map(say, PIECES), *end()]),
    (CLAUDE, [claude(*claude_text(*PIECES), reason="end_turn")]),
    (GEMINI, gemini(*({"text": it} for it in PIECES))),
]


@pytest.mark.parametrize(("model", "says"), NATIVE, ids=[it[0] for it in NATIVE])
async def test_provider_with_a_way_of_its_own_is_asked_in_it(
    provider: Provider, model: str, says: Body
) -> None:
    provider.says = says
    parts = await answer(model, provider.url)
    [asked] = provider.asked
    schema = native_schema(asked)
    assert schema is not None, asked
    assert "$schema" not in schema
    assert OUTPUT_TOOL not in json.dumps(asked)
    assert text_of(parts) == JSON
    assert len([it for it in parts if isinstance(it, TextPart)]) > 1, "it comes in pieces"
    assert finish_of(parts).reason == "stop"


TOOL: list[tuple[str, Body]] = [
    (
        COMPATIBLE,
        [
            say("Let me "),
            say("think."),
            call(0, OUTPUT_TOOL, "", id_="x"),
            *(call(0, None, it) for it in PIECES),
            *end("tool_calls"),
        ],
    ),
    (
        OLD_CLAUDE,
        [
            claude(
                *claude_text("Let me ", "think."),
                *claude_call(1, OUTPUT_TOOL, *PIECES),
                reason="tool_use",
            )
        ],
    ),
    (
        OLD_GEMINI,
        gemini(
            {"text": "Let me think."},
            {"functionCall": {"name": OUTPUT_TOOL, "args": json.loads(JSON)}},
        ),
    ),
]


@pytest.mark.parametrize(("model", "says"), TOOL, ids=[it[0] for it in TOOL])
async def test_any_other_gives_its_answer_as_the_call_of_a_last_tool(
    provider: Provider, model: str, says: Body
) -> None:
    provider.says = says
    parts = await answer(model, provider.url)
    [asked] = provider.asked
    assert native_schema(asked) is None
    assert OUTPUT_TOOL in json.dumps(asked["tools"])
    assert "read_file" in json.dumps(asked["tools"])
    kinds = [type(it) for it in parts]
    assert kinds[0] is ReasoningPart, "what it said before is no part of the answer"
    assert "".join(it.text for it in parts if isinstance(it, ReasoningPart)) == "Let me think."
    assert json.loads(text_of(parts)) == json.loads(JSON)
    assert kinds.count(TextPart) == (1 if model == OLD_GEMINI else len(PIECES))
    assert CallPart not in kinds
    assert (finish_of(parts).reason, finish_of(parts).kept) == ("stop", None)


async def test_model_must_call_a_tool(provider: Provider) -> None:
    provider.says = TOOL[0][1]
    await answer(COMPATIBLE, provider.url)
    provider.says = TOOL[1][1]
    await answer(OLD_CLAUDE, provider.url)
    assert [it["tool_choice"] for it in provider.asked] == ["required", {"type": "any"}]


async def test_text_beside_other_tools_stays_the_text(provider: Provider) -> None:
    look = call(0, "read_file", '{"path": "a"}', id_="x")
    provider.says = [say("I look."), look, *end("tool_calls")]
    parts = await answer(COMPATIBLE, provider.url)
    assert parts[0] == TextPart("I look.")
    assert [it for it in parts if isinstance(it, CallPart)] == [
        CallPart("read_file", {"path": "a"})
    ]
    assert finish_of(parts).reason == "tool_calls"


async def test_text_in_place_of_the_last_tool_is_the_text(provider: Provider) -> None:
    provider.says = [say("It is "), say("Bern."), *end()]
    parts = await answer(COMPATIBLE, provider.url)
    assert [it for it in parts if not isinstance(it, FinishPart)] == [TextPart("It is Bern.")]


async def test_only_the_first_of_two_answers_counts(provider: Provider) -> None:
    other = '{"city": "Chur"}'
    provider.says = [
        call(0, OUTPUT_TOOL, JSON, id_="x"),
        call(1, OUTPUT_TOOL, other, id_="y"),
        *end("tool_calls"),
    ]
    parts = await answer(COMPATIBLE, provider.url)
    assert [it.text for it in parts if isinstance(it, TextPart)] == [JSON]
    assert not [it for it in parts if isinstance(it, CallPart)]


async def test_empty_object_is_an_answer(provider: Provider) -> None:
    provider.says = gemini({"functionCall": {"name": OUTPUT_TOOL, "args": {}}})
    assert text_of(await answer(OLD_GEMINI, provider.url)) == "{}"


async def test_tool_of_that_name_is_not_hidden(provider: Provider) -> None:
    name = f"{OUTPUT_TOOL}_"
    provider.says = [call(0, name, JSON, id_="x"), *end("tool_calls")]
    asked = prompt("Where?", model=COMPATIBLE, tools=(*TOOLS, tool(OUTPUT_TOOL, "x")))
    parts = await answer(COMPATIBLE, provider.url, asked=asked)
    names = [it["function"]["name"] for it in provider.asked[0]["tools"]]
    assert names[-2:] == [OUTPUT_TOOL, name]
    assert text_of(parts) == JSON


@pytest.mark.parametrize(("model", "says"), [TOOL[0], NATIVE[2]], ids=["tool", "native"])
async def test_model_reads_why_its_answer_was_rejected(
    provider: Provider, model: str, says: Body
) -> None:
    provider.says = says
    wrong = AssistantMessage(text='{"town": "Bern"}', rejected="'city' is missing")
    asked = prompt("Where?", wrong, model=model)
    await answer(model, provider.url, asked=asked)
    before, last = provider.asked[0]["messages"][-2:]
    assert (before["role"], last["role"]) == ("assistant", "user")
    assert "'city' is missing" in json.dumps(last)
    again = prompt("Where?", wrong, UserMessage(text="Hurry!"), model=model)
    await answer(model, provider.url, asked=again)
    said = json.dumps(provider.asked[1]["messages"][-2:])
    assert said.index("'city' is missing") < said.index("Hurry!")


async def test_provider_that_breaks_off_in_the_answer_is_tried_again(provider: Provider) -> None:
    provider.says = [call(0, OUTPUT_TOOL, PIECES[0], id_="x")]
    with pytest.raises(ProviderError, match="broke off") as caught:
        await answer(COMPATIBLE, provider.url)
    assert caught.value.retryable


async def test_answer_that_was_cut_off_says_so(provider: Provider) -> None:
    provider.says = [call(0, OUTPUT_TOOL, PIECES[0], id_="x"), *end("length")]
    parts = await answer(COMPATIBLE, provider.url)
    assert (text_of(parts), finish_of(parts).reason) == (PIECES[0], "length")


async def test_schema_beyond_what_a_provider_takes_goes_to_the_last_tool(
    provider: Provider,
) -> None:
    fields: dict[str, JsonValue] = {f"f{n}": {"type": "string"} for n in range(30)}
    many: dict[str, JsonValue] = {**CITY, "properties": {**fields, "city": {"type": "string"}}}
    provider.says = TOOL[1][1]
    async with aclosing(provider_for(ProviderConfig())) as providers:
        asked = prompt("Where?", model=CLAUDE)._replace(output_schema=many)
        assert json.loads(text_of(await ask(providers(CLAUDE), asked))) == json.loads(JSON)
    assert native_schema(provider.asked[0]) is None
