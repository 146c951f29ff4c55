"""Models behind an HTTP API, over real HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelQuotaExceededError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from relayline.activities.model.port import (
    CallPart,
    FinishPart,
    ProviderError,
    ReasoningPart,
    TextPart,
    UnknownModel,
)
from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from relayline.activities.model.providers.remote import RemoteModel
from relayline.contracts.messages import AssistantMessage, ToolCall, ToolMessage, Usage
from tests.activities.model.providers.asking import TOOLS, ask, calls_of, finish_of, prompt, text_of
from tests.activities.model.providers.conftest import KEY
from tests.activities.model.providers.stand_in import StandIn

USED = Usage(input_tokens=11, output_tokens=7)


@pytest.mark.slow
async def test_text_comes_in_the_pieces_that_the_provider_sent(providers: Providers) -> None:
    parts = await ask(providers("compatible:text"), prompt("hi"))
    assert parts == [
        TextPart("Hel"),
        TextPart("lo, "),
        TextPart("you"),
        FinishPart("stop", USED),
    ]


@pytest.mark.slow
async def test_reasoning_comes_apart_from_the_text(providers: Providers) -> None:
    parts = await ask(providers("compatible:reasoning"), prompt("hi"))
    assert parts[:3] == [ReasoningPart("Let me "), ReasoningPart("see."), TextPart("42")]


async def test_tool_calls_come_whole_and_broken_json_is_kept(providers: Providers) -> None:
    parts = await ask(providers("compatible:calls"), prompt("hi"))
    assert calls_of(parts) == [
        CallPart("read_file", {"path": "README.md"}),
        CallPart("calculate", {"expression": "6*7"}),
        CallPart("calculate", {"malformed_json": '{"expression": '}),
    ]
    assert finish_of(parts) == FinishPart("tool_calls", USED)


async def test_answer_that_was_too_long_says_so(providers: Providers) -> None:
    assert finish_of(await ask(providers("compatible:length"), prompt("hi"))).reason == "length"


async def test_answer_that_is_done_without_a_reason_is_whole(providers: Providers) -> None:
    parts = await ask(providers("compatible:no-end"), prompt("hi"))
    assert text_of(parts) == "cut off"
    assert finish_of(parts).reason == "unknown"


async def test_text_that_nobody_could_store_is_mended(providers: Providers) -> None:
    parts = await ask(providers("compatible:surrogates"), prompt("hi"))
    assert text_of(parts) == "half ? of it"


@pytest.mark.parametrize(
    ("model", "means"),
    [
        ("429", (True, 429, 3.0)),
        ("500", (True, 500, None)),
        ("503", (True, 503, None)),
        ("401", (False, 401, None)),
        ("404", (False, 404, None)),
        ("dies", (True, None, None)),
    ],
)
async def test_failure_says_whether_a_retry_can_help(
    providers: Providers,
    stand_in: StandIn,
    model: str,
    means: tuple[bool, int | None, float | None],
) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(providers(f"compatible:{model}"), prompt("hi"))
    error = caught.value
    assert (error.retryable, error.status, error.retry_after_s) == means
    assert len(stand_in.requests) == 1, "the provider's own retries are to be off"


async def test_key_that_the_provider_echoes_is_cut_out(
    providers: Providers, stand_in: StandIn
) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(providers("compatible:401"), prompt("hi"))
    assert stand_in.keys == [KEY]
    assert KEY not in str(caught.value)
    assert "[redacted]" in str(caught.value)
    assert len(str(caught.value)) <= 1000
    assert caught.value.__cause__ is None


async def test_key_in_the_environment_is_cut_out_of_what_another_provider_says(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "no 401 with")
    providers = provider_for(ProviderConfig(compatible_base_url=stand_in.url))
    with pytest.raises(ProviderError) as caught:
        await ask(providers("compatible:401"), prompt("hi"))
    assert "no 401 with" not in str(caught.value)
    await providers.aclose()


async def test_closing_the_stream_hangs_up(providers: Providers, stand_in: StandIn) -> None:
    stream = providers("compatible:endless").stream(prompt("hi"))
    async for _ in stream:
        break
    await stream.aclose()
    await asyncio.wait_for(stand_in.hung_up.wait(), 5)


async def test_nobody_at_the_address_is_worth_a_retry() -> None:
    providers = provider_for(ProviderConfig(compatible_base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(ProviderError, match="connection attempts") as caught:
        await ask(providers("compatible:x"), prompt("hi"))
    assert caught.value.retryable
    await providers.aclose()


async def test_transcript_and_tools_reach_the_provider(
    providers: Providers, stand_in: StandIn
) -> None:
    call = ToolCall(call_id="call_1_0", name="calculate", arguments={"expression": "6*7"})
    said = (
        AssistantMessage(text="I calculate.", tool_calls=(call,)),
        ToolMessage(call_id="call_1_0", name="calculate", output="42"),
        "and now?",
        AssistantMessage(text="", interrupted=True),
        "go on",
    )
    await ask(providers("compatible:text"), prompt("what is 6*7", *said))
    sent = stand_in.requests[0]
    assert [(it["role"], it.get("content")) for it in sent["messages"]] == [
        ("system", "Be brief."),
        ("user", "what is 6*7"),
        ("assistant", "I calculate."),
        ("tool", "42"),
        ("user", "and now?"),
        ("user", "go on"),
    ]
    [asked] = sent["messages"][2]["tool_calls"]
    assert asked["id"] == sent["messages"][3]["tool_call_id"] == "call_1_0"
    assert [it["function"]["name"] for it in sent["tools"]] == [it.name for it in TOOLS]


async def test_local_model_is_told_of_no_tools(providers: Providers, stand_in: StandIn) -> None:
    await ask(providers("local"), prompt("hi"))
    assert stand_in.requests[0]["model"] == "local"
    assert "tools" not in stand_in.requests[0]


async def test_model_is_made_once(providers: Providers) -> None:
    assert providers("compatible:text") is providers("compatible:text")


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("gpt-9", "unknown model 'gpt-9'"),
        ("compatible:", "unknown model"),
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("anthropic:claude-sonnet-5-5", "ANTHROPIC_API_KEY"),
        ("google:gemini-2.5-pro", "GOOGLE_API_KEY or GEMINI_API_KEY"),
        ("ollama:qwen3", "OLLAMA_BASE_URL"),
        ("compatible:x", "RELAYLINE_COMPATIBLE_BASE_URL"),
        ("local", "--local-model"),
    ],
)
def test_model_that_cannot_be_reached_says_what_to_set(
    model: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OLLAMA_BASE_URL", raising=False)
    with pytest.raises(UnknownModel, match=named):
        provider_for(ProviderConfig())(model)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai:gpt-5", "OPENAI_BASE_URL"),
        ("anthropic:claude-sonnet-5-5", "ANTHROPIC_BASE_URL"),
        ("google:gemini-2.5-pro", "GOOGLE_GEMINI_BASE_URL"),
        ("ollama:qwen3", "OLLAMA_BASE_URL"),
    ],
)
async def test_each_named_provider_is_set_up_and_called_at_its_address(
    model: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "sk-pretended")
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    providers = provider_for(ProviderConfig())
    with pytest.raises(ProviderError) as caught:
        await ask(providers(model), prompt("hi"))
    assert caught.value.retryable
    assert caught.value.status is None
    await providers.aclose()


async def test_unmapped_error_of_the_library_is_a_failure_of_the_provider() -> None:
    async def broken(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield "half"
        raise ConnectionResetError("gone")

    with pytest.raises(ProviderError, match="gone") as caught:
        await ask(RemoteModel(FunctionModel(stream_function=broken)), prompt("hi"))
    assert caught.value.retryable


async def test_call_without_arguments_has_none() -> None:
    async def stream(
        messages: list[ModelMessage], info: AgentInfo
    ) -> AsyncIterator[dict[int, DeltaToolCall]]:
        yield {0: DeltaToolCall(name="look", json_args="")}

    parts = await ask(RemoteModel(FunctionModel(stream_function=stream)), prompt("hi"))
    assert calls_of(parts) == [CallPart("look", {})]


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ContentFilterError("not that"), False),
        (ModelQuotaExceededError("m", "no credit is left"), False),
        (UserError("wrong way to use it"), False),
        (UnexpectedModelBehavior("what is that"), True),
    ],
)
async def test_error_without_a_status_is_told_apart_by_its_kind(
    error: Exception, retryable: bool
) -> None:
    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield "half"
        raise error

    with pytest.raises(ProviderError) as caught:
        await ask(RemoteModel(FunctionModel(stream_function=stream)), prompt("hi"))
    assert caught.value.retryable is retryable


def test_worker_starts_without_the_provider_library() -> None:
    code = (
        "import sys, relayline.activities.model.call, relayline.activities.model.providers.factory;"
        "sys.exit('pydantic_ai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
