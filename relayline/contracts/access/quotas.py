"""Quotas: how much a tenant may use."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from relayline.contracts.frozen import Frozen

MAX_MODELS = 100
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Model = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


class QuotaName(StrEnum):
    """A quota, as `quota-exceeded` names it."""

    OPEN_RUNS = "open_runs"
    RUNS_PER_DAY = "runs_per_day"
    TOKENS_PER_DAY = "tokens_per_day"
    COST_PER_DAY = "cost_per_day"
    OPEN_STREAMS = "open_streams"
    FILE_BYTES = "file_bytes"


class Quotas(Frozen):
    """What a tenant may use; null: as much as it likes.

    A day is one of UTC. The tokens and the cost of a run count for the day of its submission.
    """

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    open_runs: _Count | None = None
    """Runs that have not ended."""
    runs_per_day: _Count | None = None
    """Runs submitted since 00:00 UTC."""
    tokens_per_day: _Count | None = None
    """Input and output tokens of these runs; once they are used, no run is submitted, and none
    calls its model again before the next day: it fails."""
    cost_per_day: float | None = Field(default=None, ge=0, le=1e12, allow_inf_nan=False)
    """US dollars that these runs cost, as far as prices are known; as `tokens_per_day`."""
    open_streams: _Count | None = None
    """Streams open at a time, in each API process."""
    file_bytes: _Count | None = None
    """Bytes of all its files together."""
    models: tuple[_Model, ...] | None = Field(default=None, max_length=MAX_MODELS, strict=False)
    """Models that its runs may use, such as `openai:gpt-5`, or `openai:*` for all that begin so."""

    def allows(self, model: str) -> bool:
        """True if a run may use the model."""
        return self.models is None or any(
            model.startswith(it[:-1]) if it.endswith("*") else model == it for it in self.models
        )


class QuotaUse(Frozen):
    """What a tenant uses, as the runs table tells."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    open_runs: int
    """Runs that have not ended."""
    runs_today: int
    """Runs submitted since 00:00 UTC."""
    tokens_today: int
    """Input and output tokens of these runs."""
    cost_today: float
    """US dollars that these runs cost, as far as prices are known."""


class TenantQuotas(Frozen):
    """The quotas of a tenant, and what it uses of them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    tenant: str
    quotas: Quotas
    """Those that hold."""
    default: bool
    """True: the tenant has none of its own; `RELAYLINE_QUOTAS` has them."""
    used: QuotaUse
    resets_at: datetime
    """When the next day begins."""


def parse_quotas(text: str) -> Quotas:
    """Quotas in one line: `open_runs=100,tokens_per_day=1000000,models=openai:* rehearsal`.

    Raises:
        ValueError: an item is not of that form, a value is not what it must be.
    """
    given: dict[str, object] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        name, is_given, value = item.partition("=")
        if not is_given or name not in Quotas.model_fields or name in given:
            known = ", ".join(Quotas.model_fields)
            raise ValueError(f"{item!r}: write NAME=VALUE, each name once; there are {known}")
        given[name] = value.split() if name == "models" else value
    try:
        return Quotas.model_validate(given, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]}: {first['msg']}") from None
