"""Names of models: `rehearsal`, `local` or `provider:name`."""

from __future__ import annotations

from typing import NamedTuple

PROVIDERS = ("openai", "anthropic", "google", "ollama", "compatible")
"""Providers whose models have a name of their own."""
BUILT_IN = ("rehearsal", "local")
"""Models that are a whole name by themselves."""


class ModelRef(NamedTuple):
    """A model's name, taken apart."""

    provider: str
    """One of `PROVIDERS` or `BUILT_IN`."""
    name: str
    """The provider's own name of the model; empty for `rehearsal` and `local`."""


class UnknownModelName(ValueError):
    """The name has none of the known forms; the message lists them."""

    def __init__(self, model: str) -> None:
        forms = ", ".join([*BUILT_IN, *(f"{provider}:NAME" for provider in PROVIDERS)])
        super().__init__(f"unknown model {model[:200]!r}: use one of {forms}")


def parse_model(model: str) -> ModelRef:
    """Take a model's name apart; what follows the first colon is the provider's own.

    Raises:
        UnknownModelName: it has none of the known forms.
    """
    if model in BUILT_IN:
        return ModelRef(model, "")
    provider, _, name = model.partition(":")
    if provider not in PROVIDERS or not name or name != name.strip():
        raise UnknownModelName(model)
    return ModelRef(provider, name)
