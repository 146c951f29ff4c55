"""Models and settings that a request may ask for: wrong ones are named, right ones pinned."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from relayline.api.bodies import RunRequest
from relayline.api.errors import InvalidField
from relayline.api.runs.validation import RequestLimits, RunValidator
from relayline.contracts.runs import AgentSpec, Limits, ModelSettings, RunInput
from tests.api.serving import Api

GOOD = {"agent": "assistant", "input": "hello"}
CHOOSY = AgentSpec(
    name="choosy",
    model="openai:gpt-5.1",
    fallbacks=("anthropic:claude-sonnet-5-5",),
    models=("openai:gpt-5-mini", "rehearsal"),
    settings=ModelSettings(max_output_tokens=500, parallel_tool_calls=False),
)
ANY = AgentSpec(name="any", model="compatible:qwen", settings=ModelSettings(seed=7, temperature=1))


def checked(agent: str, *, priced: tuple[str, ...] = (), **fields: Any) -> RunInput:
    """The run's input for that request."""
    agents = {it.name: it for it in (CHOOSY, ANY)}
    validator = RunValidator(agents, RequestLimits(100_000, 16), priced.__contains__)
    request = RunRequest.model_validate({"agent": agent, "input": "hello", **fields})
    return validator.check(request, "run_0123456789abcdef")


def refused(agent: str, **fields: Any) -> InvalidField:
    with pytest.raises(InvalidField) as caught:
        checked(agent, **fields)
    return caught.value


@pytest.mark.parametrize("model", ["openai:gpt-5.1", "openai:gpt-5-mini", "rehearsal"])
def test_an_agent_with_a_list_takes_its_models_and_its_own(model: str) -> None:
    assert checked("choosy", model=model).agent.model == model


def test_another_model_is_refused_and_the_allowed_ones_are_named() -> None:
    error = refused("choosy", model="rehearsal:other")
    allowed = ["openai:gpt-5.1", "openai:gpt-5-mini", "rehearsal"]
    assert error.type == "model-not-allowed"
    assert error.members == {"field": "model", "known": allowed}
    assert error.detail == (
        "model: the agent choosy does not allow 'rehearsal:other'; it allows "
        "openai:gpt-5.1, openai:gpt-5-mini, rehearsal"
    )


def test_an_agent_without_a_list_takes_any_model() -> None:
    assert checked("any", model="rehearsal:other").agent.model == "rehearsal:other"


def test_settings_are_added_to_those_of_the_agent_and_null_takes_one_away() -> None:
    settings = {"parallel_tool_calls": None, "reasoning_effort": "low", "stop": None}
    assert checked("choosy", settings=settings).agent.settings == ModelSettings(
        max_output_tokens=500, reasoning_effort="low"
    )


@pytest.mark.parametrize(
    ("agent", "fields", "field", "why"),
    [
        ("choosy", {"settings": {"seed": 1}}, "seed", "openai:gpt-5.1 takes no seed"),
        ("choosy", {"settings": {"stop": ["x"]}}, "stop", "openai:gpt-5.1 takes no stop"),
        (
            "choosy",
            {"settings": {"temperature": 1.5}},
            "temperature",
            "anthropic:claude-sonnet-5-5 takes at most 1, not 1.5",
        ),
        ("any", {"model": "openai:gpt-5"}, "seed", "openai:gpt-5 takes no seed"),
        (
            "any",
            {"model": "google:gemini-3", "settings": {"parallel_tool_calls": True}},
            "parallel_tool_calls",
            "google:gemini-3 takes no parallel_tool_calls",
        ),
        (
            "any",
            {"model": "ollama:llama", "settings": {"tool_choice": "none"}},
            "tool_choice",
            "ollama:llama takes no tool_choice",
        ),
    ],
)
def test_a_setting_that_a_model_or_a_fallback_can_not_take_is_refused(
    agent: str, fields: dict[str, Any], field: str, why: str
) -> None:
    error = refused(agent, **fields)
    assert (error.type, error.detail) == ("unsupported-setting", f"settings.{field}: {why}")
    assert error.members["field"] == f"settings.{field}"
    assert error.members.get("limit") == (1 if field == "temperature" else None)


def test_a_setting_of_the_agent_can_be_taken_away_for_another_model() -> None:
    made = checked("any", model="openai:gpt-5", settings={"seed": None})
    assert made.agent.settings == ModelSettings(temperature=1)


def test_a_limit_of_cost_needs_the_price_of_each_fallback() -> None:
    limits = {"max_cost": 1}
    models = ("openai:gpt-5.1", "anthropic:claude-sonnet-5-5")
    assert checked("choosy", priced=models, limits=limits).agent.limits == Limits(max_cost=1)
    error = refused("choosy", priced=models[:1], limits=limits)
    assert error.type == "unknown-price"
    assert "anthropic:claude-sonnet-5-5" in error.detail


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 2.1},
        {"temperature": "1"},
        {"max_output_tokens": 0},
        {"reasoning_effort": "huge"},
        {"tool_choice": "read_file"},
        {"parallel_tool_calls": 1},
        {"stop": []},
        {"stop": ["x"] * 5},
        {"stop": [""]},
        {"seed": -1},
        {"seed": 2**31},
        {"timeout_s": 0},
        {"timeout_s": 1801},
        {"cache": None},
        {"top_p": 0.5},
    ],
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused_by:
        RunRequest.model_validate({**GOOD, "settings": settings})
    [error, *_] = refused_by.value.errors()
    assert error["loc"][:2] == ("settings", next(iter(settings)))


async def test_the_field_and_its_limit_are_named_over_http(api: Api) -> None:
    answer = await api.http.post("/v1/runs", json={**GOOD, "settings": {"temperature": 3}})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["field"] == "settings.temperature"
    assert problem["detail"] == "settings.temperature: Input should be less than or equal to 2"
    answer = await api.http.post("/v1/runs", json={**GOOD, "settings": {"stop": ["a"]}})
    assert answer.status_code == 202


async def test_the_agents_show_their_models_and_settings(api: Api) -> None:
    views = {it["name"]: it for it in (await api.http.get("/v1/agents")).json()["agents"]}
    choosy = views["choosy"]
    assert choosy["fallbacks"] == ["rehearsal:spare"]
    assert choosy["models"] == ["rehearsal:small"]
    assert choosy["settings"] == {"temperature": 0.5, "cache": True}
    assert not {"fallbacks", "models", "settings"} & set(views["assistant"])
