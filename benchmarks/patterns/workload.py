"""What each of the four serves: runs whose steps take 0.2 to 20 s, drawn once for all. Pure.

Times are on the workload's clock: whoever waits divides them by `environment.factor()`.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

MODEL_CALLS = 3
"""Of a run; a tool call stands between two of them."""
SHORTEST_S, LONGEST_S, TAIL = 0.2, 20.0, 0.2
"""A model call takes a bounded Pareto time: half of them less than 1.2 s, a tenth over 10 s."""
TOOL_S, SLOW_TOOL_S, SLOW_TOOLS = 0.3, 20.0, 0.05
"""A tool call, a slow one, and how many of a hundred are slow."""
BEFORE_FIRST_WORD = 0.3
"""The part of a model call's time that passes before its first word."""
WORDS = 8
"""Of each answer, a token each."""
INSTRUCTIONS_TOKENS, STEP_TOKENS = 100, 30
"""Input tokens of the first model call, and how many more each later one has."""
OUTAGE_AFTER_S, OUTAGE_S = 15.0, 10.0
"""When the provider begins to refuse calls, and for how long."""


class Step(NamedTuple):
    """A model call and the tool call that it asks for."""

    model_s: float
    tool_s: float | None
    """None: it asks for none, the run ends."""


def heavy_tailed(chance: float) -> float:
    """The time that a share `chance` of all model calls, 0 to 1, does not exceed, in seconds."""
    share = 1 - (SHORTEST_S / LONGEST_S) ** TAIL
    return float(SHORTEST_S / (1 - chance * share) ** (1 / TAIL))


def plan(job: str) -> tuple[Step, ...]:
    """The steps of the run of that name, always the same."""
    chance = Random(job)  # noqa: S311  no secret
    steps = []
    for number in range(MODEL_CALLS):
        model_s = heavy_tailed(chance.random())
        tool_s = SLOW_TOOL_S if chance.random() < SLOW_TOOLS else TOOL_S
        steps.append(Step(model_s, tool_s if number + 1 < MODEL_CALLS else None))
    return tuple(steps)


def input_tokens(step: int) -> int:
    """What the model reads in that step, 0 for the first."""
    return INSTRUCTIONS_TOKENS + STEP_TOKENS * step


NEEDED = sum(input_tokens(step) + WORDS for step in range(MODEL_CALLS))
"""Tokens of a run of which nothing is paid twice."""
