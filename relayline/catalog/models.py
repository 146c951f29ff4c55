"""Model names (`rehearsal`, `local`, `provider:name`); task queues and limits of providers."""

from __future__ import annotations

import re
from typing import NamedTuple

from relayline.contracts.queues import Work
from relayline.contracts.runs import MODELS_QUEUE, TASK_QUEUE

PROVIDERS = ("openai", "anthropic", "google", "ollama", "compatible")
"""Providers that serve many models: `provider:name`."""
BUILT_IN = ("rehearsal", "local")
"""Models whose name has no provider in it."""
REHEARSAL = "rehearsal"
"""The provider without a model; `rehearsal:NAME` is the same under another name."""
QUEUED = ("local", *PROVIDERS)
"""Providers whose calls have task queues of their own."""

_LIMIT = re.compile(r"([a-z]+)=([0-9]{1,6})(?:@([0-9]{1,6}(?:\.[0-9]{1,6})?)/s)?")


class ModelRef(NamedTuple):
    """A parsed model name."""

    provider: str
    """One of `PROVIDERS` or `BUILT_IN`."""
    name: str
    """The provider's own name of the model; empty for `local`, and mostly for `rehearsal`."""


class ProviderLimit(NamedTuple):
    """How much one worker may ask of a provider."""

    calls: int
    """Concurrent calls."""
    starts_per_s: float | None = None
    """Calls started per second; None: no limit."""


class WorkQueue(NamedTuple):
    """A task queue whose pollers show whether a kind of work has workers."""

    work: Work
    name: str
    of_workflows: bool = False
    """True for workflow tasks, False for activity tasks."""


class UnknownModelName(ValueError):
    """A model name has an unknown form; the message lists the known ones."""

    def __init__(self, model: str) -> None:
        forms = ", ".join([*BUILT_IN, *(f"{provider}:NAME" for provider in PROVIDERS)])
        super().__init__(f"unknown model {model[:200]!r}: use one of {forms}")


class BadProviderLimits(ValueError):
    """Provider limits are malformed; the message names the item."""


def parse_model(model: str) -> ModelRef:
    """Parse a model name; the part after the first colon is the provider's own.

    Raises:
        UnknownModelName: the name has an unknown form.
    """
    if model in BUILT_IN:
        return ModelRef(model, "")
    provider, _, name = model.partition(":")
    if provider not in {*PROVIDERS, REHEARSAL} or not name or name != name.strip():
        raise UnknownModelName(model)
    return ModelRef(provider, name)


def is_rehearsal(model: str) -> bool:
    """True for `rehearsal` and `rehearsal:NAME`."""
    return model.partition(":")[0] == REHEARSAL


def provider_queue(provider: str) -> str:
    """The task queue of a provider's calls; each provider has its own."""
    return f"{MODELS_QUEUE}-{provider}"


WORK_QUEUES = (
    WorkQueue(Work.RUNS, TASK_QUEUE, of_workflows=True),
    WorkQueue(Work.MODELS, provider_queue(QUEUED[0])),  # a worker serves all providers or none
    WorkQueue(Work.TOOLS, TASK_QUEUE),
)
"""One for each kind of work."""


def model_queue(model: str) -> str | None:
    """The task queue of a model's calls; None for the queue of the run itself.

    `rehearsal` calls no provider, so no provider can delay it; from the run's own queue Temporal
    gives the call to the same worker at once. A name with an unknown form stays there, too: the
    call fails and names it.
    """
    try:
        provider = parse_model(model).provider
    except UnknownModelName:
        return None
    return provider_queue(provider) if provider in QUEUED else None


def parse_provider_limits(text: str) -> dict[str, ProviderLimit]:
    """Parse `openai=20,anthropic=10@5/s`: 20 calls; 10 calls, at most 5 started per second.

    Raises:
        BadProviderLimits: an item has another form, a zero, an unknown provider, or the provider
            of an earlier item.
    """
    limits: dict[str, ProviderLimit] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        found = _LIMIT.fullmatch(item)
        provider = found[1] if found else ""
        if not found or provider not in QUEUED:
            known = ", ".join(QUEUED)
            raise BadProviderLimits(
                f"{item[:100]!r} is not a limit: write PROVIDER=CALLS or PROVIDER=CALLS@STARTS/s "
                f"with one of {known}"
            )
        limit = ProviderLimit(int(found[2]), float(found[3]) if found[3] else None)
        if limit.calls == 0 or limit.starts_per_s == 0:
            raise BadProviderLimits(f"{item!r} would never let a call start")
        if provider in limits:
            raise BadProviderLimits(f"{provider} has more than one limit")
        limits[provider] = limit
    return limits


def limits_of(text: str, usual: int) -> dict[str, ProviderLimit]:
    """The limit of each provider whose calls have a task queue.

    Args:
        text: Limits of some, as `parse_provider_limits` takes them.
        usual: Concurrent calls of each other one.

    Raises:
        BadProviderLimits: as `parse_provider_limits`.
    """
    given = parse_provider_limits(text)
    return {provider: given.get(provider, ProviderLimit(usual)) for provider in QUEUED}
