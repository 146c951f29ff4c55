"""What each provider is sent of a run's settings, over real HTTP; nothing is left out silently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relayline.activities.model.port import Prompt, ProviderError
from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from relayline.contracts.messages import Message, UserMessage
from relayline.contracts.runs import ModelSettings
from tests.activities.model.providers.asking import answered, ask, finish_of, prompt
from tests.activities.model.providers.wire.test_kept import FIRST, MESSAGE, Provider, block, named

pytestmark = pytest.mark.slow

CHAT, CLAUDE, GEMINI = "compatible:any", "anthropic:claude-sonnet-4-6", "google:gemini-2.5-flash"
OPENAI, THINKER = "openai:gpt-4.1", "openai:gpt-5.1"
ALL = ModelSettings(
    temperature=0.5,
    max_output_tokens=3000,
    tool_choice="required",
    parallel_tool_calls=False,
    stop=("END",),
    seed=7,
)


@pytest.fixture
async def asking(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Provider, Providers]]:
    server = Provider()
    served = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{served.sockets[0].getsockname()[1]}"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "sk-pretended")
    for name in ("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("OPENAI_BASE_URL", url + "/v1")
    monkeypatch.setenv("OLLAMA_BASE_URL", url + "/v1")
    providers = provider_for(ProviderConfig(compatible_base_url=url + "/v1"))
    yield server, providers
    await providers.aclose()
    served.close()


def with_settings(model: str, settings: ModelSettings, *said: str | Message) -> Prompt:
    return prompt(*(said or ("hi",)), model=model)._replace(settings=settings)


def found(sent: dict[str, Any], path: str) -> Any:
    """The value at that path, None if there is none."""
    value: Any = sent
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize(
    ("model", "settings", "sent"),
    [
        (
            CHAT,
            ALL,
            {
                "temperature": 0.5,
                "max_completion_tokens": 3000,
                "tool_choice": "required",
                "parallel_tool_calls": False,
                "stop": ["END"],
                "seed": 7,
            },
        ),
        (
            OPENAI,
            ALL.model_copy(update={"stop": None, "seed": None}),
            {
                "temperature": 0.5,
                "max_output_tokens": 3000,
                "tool_choice": "required",
                "parallel_tool_calls": False,
            },
        ),
        (
            CLAUDE,
            ALL.model_copy(update={"seed": None}),
            {
                "temperature": 0.5,
                "max_tokens": 3000,
                "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
                "stop_sequences": ["END"],
            },
        ),
        (
            GEMINI,
            ALL.model_copy(update={"parallel_tool_calls": None}),
            {
                "generationConfig.temperature": 0.5,
                "generationConfig.maxOutputTokens": 3000,
                "generationConfig.stopSequences": ["END"],
                "generationConfig.seed": 7,
                "toolConfig.functionCallingConfig.mode": "ANY",
            },
        ),
        ("ollama:llama", ModelSettings(seed=7, stop=("END",)), {"seed": 7, "stop": ["END"]}),
        (CHAT, ModelSettings(reasoning_effort="low"), {"reasoning_effort": "low"}),
        ("ollama:qwen", ModelSettings(reasoning_effort="none"), {"reasoning_effort": "none"}),
        (THINKER, ModelSettings(reasoning_effort="high"), {"reasoning.effort": "high"}),
        (
            CLAUDE,
            ModelSettings(reasoning_effort="low", max_output_tokens=9000),
            {"thinking.type": "adaptive", "output_config.effort": "low"},
        ),
        (
            GEMINI,
            ModelSettings(reasoning_effort="low"),
            {"generationConfig.thinkingConfig.thinking_budget": 2048},
        ),
        (THINKER, ModelSettings(temperature=0.5), {"temperature": 0.5}),
        (CHAT, ModelSettings(tool_choice="none"), {"tool_choice": "none"}),
    ],
)
async def test_each_provider_gets_the_settings_in_its_own_words(
    asking: tuple[Provider, Providers], model: str, settings: ModelSettings, sent: dict[str, Any]
) -> None:
    server, providers = asking
    await ask(providers(model), with_settings(model, settings))
    assert {path: found(server.asked[0], path) for path in sent} == sent


@pytest.mark.parametrize("model", [CHAT, OPENAI, CLAUDE, GEMINI])
async def test_without_settings_nothing_is_sent(
    asking: tuple[Provider, Providers], model: str
) -> None:
    server, providers = asking
    await ask(providers(model), with_settings(model, ModelSettings(cache=False)))
    text = str(server.asked[0])
    for word in ("temperature", "stop_", "seed", "parallel", "effort", "thinking", "cache_control"):
        assert word not in text


@pytest.mark.parametrize(
    ("model", "settings", "missing"),
    [
        ("openai:o3", ModelSettings(temperature=0.5), "temperature"),
        (
            THINKER,
            ModelSettings(temperature=0.5, reasoning_effort="low"),
            "temperature",
        ),
        ("anthropic:claude-opus-4-8", ModelSettings(temperature=0.5), "temperature"),
        ("google:gemini-2.0-flash", ModelSettings(reasoning_effort="low"), "reasoning_effort"),
    ],
)
async def test_a_setting_that_the_library_would_drop_is_refused_and_named(
    asking: tuple[Provider, Providers], model: str, settings: ModelSettings, missing: str
) -> None:
    server, providers = asking
    with pytest.raises(ProviderError, match=f"{model} takes no {missing} ") as refused:
        await ask(providers(model), with_settings(model, settings))
    assert not refused.value.retryable
    assert server.asked == []


async def test_a_required_tool_is_required_only_until_one_was_called(
    asking: tuple[Provider, Providers],
) -> None:
    server, providers = asking
    settings, provider = ModelSettings(tool_choice="required"), providers(CHAT)
    parts = await ask(provider, with_settings(CHAT, settings))
    after = [UserMessage(text="hi"), *answered(parts, ["2"])]
    await ask(provider, with_settings(CHAT, settings, *after))
    await ask(provider, with_settings(CHAT, settings, *after, "and then?"))
    assert [it.get("tool_choice") for it in server.asked] == ["required", "auto", "required"]


async def test_claude_keeps_tools_instructions_and_conversation_in_its_cache(
    asking: tuple[Provider, Providers],
) -> None:
    server, providers = asking
    mark = {"type": "ephemeral", "ttl": "5m"}
    for asked in (with_settings(CLAUDE, ModelSettings()),) * 2:
        await ask(providers(CLAUDE), asked)
    first, second = server.asked
    assert first == second
    assert first["tools"][-1]["cache_control"] == mark
    assert [it.get("cache_control") for it in first["tools"][:-1]] == [None, None]
    assert first["system"][-1]["cache_control"] == mark
    assert first["cache_control"] == mark


async def test_a_summary_is_not_kept_in_the_cache(asking: tuple[Provider, Providers]) -> None:
    server, providers = asking
    await ask(providers(CLAUDE), prompt("hi", model=CLAUDE)._replace(purpose="summary"))
    assert "cache_control" not in str(server.asked[0])


async def test_tokens_that_claude_reads_from_its_cache_and_writes_there_are_counted(
    asking: tuple[Provider, Providers], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = {
        "input_tokens": 9,
        "output_tokens": 1,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 300,
    }
    body = named(
        {"type": "message_start", "message": {**MESSAGE, "usage": used}},
        *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "hello"}),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    )
    monkeypatch.setitem(FIRST, "/messages", [body])
    usage = finish_of(await ask(asking[1](CLAUDE), with_settings(CLAUDE, ModelSettings()))).usage
    assert (usage.input_tokens, usage.output_tokens) == (2309, 5)
    assert (usage.cached_tokens, usage.cache_write_tokens) == (2000, 300)
