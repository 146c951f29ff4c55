"""Names of models."""

from __future__ import annotations

import pytest

from catalog.models import UnknownModelName, parse_model


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
