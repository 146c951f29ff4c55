"""Which limit a run has reached, and how much more to offer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import JsonValue, ValidationError

from relayline.contracts.money import Cost
from relayline.contracts.runs import Limits
from relayline.workflows.state import RunState


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


def exceeded(state: RunState, *, calls: int = 0) -> Excess | None:
    """The first limit that does not allow the next calls, None if all do.

    Args:
        state: Those of the run; of an open one, its newest turn counts.
        calls: Number of tool calls about to start; 0 for a model call.
    """
    limits = state.limits
    if calls:
        total = state.tool_calls - state.earlier_calls + calls
        over = total > limits.max_tool_calls
        return Excess("max_tool_calls", total, limits.max_tool_calls) if over else None
    steps = state.step - state.earlier_steps
    if steps >= limits.max_steps:
        return Excess("max_steps", steps + 1, limits.max_steps)
    return spent(state)


def spent(state: RunState) -> Excess | None:
    """The excess of a run that has used all its tokens, or all its money; None if it has not."""
    limits, used = state.limits, state.used
    if used.total_tokens >= limits.max_tokens:
        return Excess("max_tokens", used.total_tokens, limits.max_tokens)
    return _overspent(used.cost, limits.max_cost)


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
