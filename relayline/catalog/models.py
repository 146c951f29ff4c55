"""Names of models: `rehearsal`, `local` or `provider:name`; the queues and limits of providers."""

from __future__ import annotations

import re
from typing import NamedTuple

from relayline.contracts.queues import Work
from relayline.contracts.runs import MODELS_QUEUE, TASK_QUEUE

PROVIDERS = ("openai", "anthropic", "google", "ollama", "compatible")
"""Providers whose models have a name of their own."""
BUILT_IN = ("rehearsal", "local")
"""Models that are a whole name by themselves."""
QUEUED = ("local", *PROVIDERS)
"""Those whose calls have queues of their own."""

_LIMIT = re.compile(r"([a-z]+)=([0-9]{1,6})(?:@([0-9]{1,6}(?:\.[0-9]{1,6})?)/s)?")


class ModelRef(NamedTuple):
    """A model's name, taken apart."""

    provider: str
    """One of `PROVIDERS` or `BUILT_IN`."""
    name: str
    """The provider's own name of the model; empty for `rehearsal` and `local`."""


class ProviderLimit(NamedTuple):
    """What one worker asks of a provider at most."""

    calls: int
    """Calls at a time."""
    starts_per_s: float | None = None
    """Calls begun per second; None: no limit."""


class WorkQueue(NamedTuple):
    """A task queue that shows whether a kind of work has workers."""

    work: Work
    name: str
    of_workflows: bool = False
    """True: tasks of workflows wait there; else those of activities."""


class UnknownModelName(ValueError):
    """The name has none of the known forms; the message lists them."""

    def __init__(self, model: str) -> None:
        forms = ", ".join([*BUILT_IN, *(f"{provider}:NAME" for provider in PROVIDERS)])
        super().__init__(f"unknown model {model[:200]!r}: use one of {forms}")


class BadProviderLimits(ValueError):
    """Limits of providers are not written as they have to be; the message names the item."""


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


def provider_queue(provider: str) -> str:
    """The task queue of that provider's calls; each provider has its own."""
    return f"{MODELS_QUEUE}-{provider}"


WORK_QUEUES = (
    WorkQueue(Work.RUNS, TASK_QUEUE, of_workflows=True),
    WorkQueue(Work.MODELS, provider_queue(QUEUED[0])),  # who takes one provider takes all
    WorkQueue(Work.TOOLS, TASK_QUEUE),
)
"""One for each kind of work."""


def model_queue(model: str) -> str | None:
    """The task queue of that model's calls; None for that of the run itself.

    `rehearsal` never leaves the worker, so nobody else's trouble can hold it up; in the run's own
    queue Temporal hands it to the same worker at once. A name that has no known form stays there,
    too: the call fails and says so.
    """
    try:
        provider = parse_model(model).provider
    except UnknownModelName:
        return None
    return provider_queue(provider) if provider in QUEUED else None


def parse_provider_limits(text: str) -> dict[str, ProviderLimit]:
    """Limits by provider, from `openai=20,anthropic=10@5/s`: 20 calls; 10 calls, 5 begun a second.

    Raises:
        BadProviderLimits: an item has not that form, is there twice, has a zero in it or names a
            provider that does not exist.
    """
    limits: dict[str, ProviderLimit] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        found = _LIMIT.fullmatch(item)
        provider = found[1] if found else ""
        if not found or provider not in QUEUED:
            known = ", ".join(QUEUED)
            raise BadProviderLimits(
                f"{item[:100]!r} is no limit: write PROVIDER=CALLS or PROVIDER=CALLS@STARTS/s with "
                f"one of {known}"
            )
        limit = ProviderLimit(int(found[2]), float(found[3]) if found[3] else None)
        if limit.calls == 0 or limit.starts_per_s == 0:
            raise BadProviderLimits(f"{item!r} would let no call begin")
        if provider in limits:
            raise BadProviderLimits(f"{provider} has more than one limit")
        limits[provider] = limit
    return limits
