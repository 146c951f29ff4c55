"""Names of models."""

from __future__ import annotations

import pytest

from relayline.catalog.models import (
    PROVIDERS,
    QUEUED,
    BadProviderLimits,
    ProviderLimit,
    UnknownModelName,
    model_queue,
    parse_model,
    parse_provider_limits,
    provider_queue,
)


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("rehearsal", "rehearsal", ""),
        ("local", "local", ""),
        ("openai:gpt-5", "openai", "gpt-5"),
        ("ollama:llama3:8b", "ollama", "llama3:8b"),
        ("compatible:org/model", "compatible", "org/model"),
    ],
)
def test_a_known_form_is_taken_apart(model: str, provider: str, name: str) -> None:
    assert parse_model(model) == (provider, name)


@pytest.mark.parametrize(
    "model", ["", "gpt-5", "openai", "openai:", "local:x", "acme:x", "openai: x"]
)
def test_an_unknown_form_is_refused_and_the_known_ones_are_listed(model: str) -> None:
    with pytest.raises(UnknownModelName) as refusal:
        parse_model(model)
    for form in (repr(model), "rehearsal", "local", "openai:NAME", "compatible:NAME"):
        assert form in str(refusal.value)


@pytest.mark.parametrize(
    ("model", "queue"),
    [
        ("rehearsal", None),
        ("local", "models-local"),
        ("openai:gpt-5", "models-openai"),
        ("ollama:llama3:8b", "models-ollama"),
        ("gpt-9", None),
        ("acme:x", None),
    ],
)
def test_each_provider_has_a_queue_of_its_own_and_others_go_with_the_run(
    model: str, queue: str | None
) -> None:
    assert model_queue(model) == queue


def test_every_model_that_has_a_known_form_has_a_queue_that_its_provider_serves() -> None:
    served = {provider_queue(provider) for provider in QUEUED}
    asked = [model_queue(f"{provider}:x") for provider in PROVIDERS] + [model_queue("local")]
    assert len(asked) == len(set(asked))
    assert set(asked) == served


def test_limits_of_providers_are_read() -> None:
    assert parse_provider_limits("") == {}
    assert parse_provider_limits(" openai=20, anthropic=10@5/s,local=1@0.5/s,") == {
        "openai": ProviderLimit(20),
        "anthropic": ProviderLimit(10, 5),
        "local": ProviderLimit(1, 0.5),
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("acme=3", "'acme=3' is not a limit"),
        ("openai", "PROVIDER=CALLS"),
        ("openai=1.5", "is not a limit"),
        ("openai=5@2", "is not a limit"),
        ("openai=-1", "is not a limit"),
        ("openai=0", "would never let a call start"),
        ("openai=1@0/s", "would never let a call start"),
        ("openai=1,openai=2", "more than one limit"),
        ("openai=" + "1" * 500, "is not a limit"),
    ],
)
def test_limits_that_are_none_are_named(text: str, named: str) -> None:
    with pytest.raises(BadProviderLimits) as refusal:
        parse_provider_limits(f"google=1,{text}")
    assert named in str(refusal.value)
    assert len(str(refusal.value)) < 300
