"""Which limit a run has reached, and how much more to offer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import JsonValue, ValidationError

from relayline.contracts.money import Cost
from relayline.contracts.runs import Limits, WorkFigures


@dataclass(frozen=True)
class Excess:
    """A limit that the run has reached."""

    limit: str
    used: float
    allowed: float

    @property
    def message(self) -> str:
        """For people: `max_steps=1 is used up: the run would need 2`."""
        reached = f"{self.limit}={self.allowed:g} is used up"
        if self.used <= self.allowed:
            return reached
        how = "has used" if self.limit in {"max_tokens", "max_cost"} else "would need"
        return f"{reached}: the run {how} {self.used:g}"


def exceeded(figures: WorkFigures, *, calls: int = 0) -> Excess | None:
    """The first limit that does not allow the next calls, None if all do.

    Args:
        figures: Those of the run.
        calls: Number of tool calls about to start; 0 for a model call.
    """
    limits = figures.limits
    if calls:
        used = figures.tool_calls + calls
        over = used > limits.max_tool_calls
        return Excess("max_tool_calls", used, limits.max_tool_calls) if over else None
    if figures.step >= limits.max_steps:
        return Excess("max_steps", figures.step + 1, limits.max_steps)
    if figures.usage.total_tokens >= limits.max_tokens:
        return Excess("max_tokens", figures.usage.total_tokens, limits.max_tokens)
    return _overspent(figures.usage.cost, limits.max_cost)


def _overspent(cost: Cost | None, allowed: float | None) -> Excess | None:
    """The excess of a run that has cost as much as it may; compared as decimal numbers."""
    if cost is None or allowed is None or cost.dollars < Decimal(str(allowed)):
        return None
    return Excess("max_cost", float(cost.dollars), allowed)


def overdue(limits: Limits) -> Excess:
    """The excess of a run that has worked for `max_wall_s`."""
    return Excess("max_wall_s", limits.max_wall_s, limits.max_wall_s)


def suggested_limit(excess: Excess) -> float:
    """The limit to offer to a person: twice the old one, or more if the run already used more."""
    double = 2 * excess.allowed
    return double if double > excess.used else excess.used + max(excess.allowed, 1)


def raised(limits: Limits, excess: Excess, arguments: Mapping[str, JsonValue]) -> Limits | str:
    """The limits, with the reached one raised to `arguments["raise_to"]`.

    Returns:
        The new limits, or what is wrong with the arguments.
    """
    wanted = arguments.get("raise_to")
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or wanted <= excess.allowed:
        return f"arguments.raise_to: must be a number above {excess.allowed:g}"
    try:
        return Limits.model_validate({**limits.model_dump(), excess.limit: wanted})
    except ValidationError as error:
        return f"arguments.raise_to: {error.errors(include_url=False)[0]['msg']}"
