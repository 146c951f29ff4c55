"""The paths of runs whose model is unavailable."""

from __future__ import annotations

from typing import Any

from tests.dev_stack import DevStack


def down(model: str, *, status: int = 503) -> dict[str, Any]:
    """An item of a script: the provider of that model fails whatever one tries."""
    return {"fail": status, "model": model, "times": 1000}


async def falls_back(stack: DevStack) -> str:
    """The second model answers from the middle of the first step on."""
    half, nap = {"say": "half of it"}, {"call": "sleep", "arguments": {"seconds": 0}}
    return await stack.submit(half, down("rehearsal"), nap, {"say": "done"}, agent="spared")


async def all_unavailable(stack: DevStack) -> str:
    """No model answers, so the run fails."""
    names = ("rehearsal", "rehearsal:spare", "rehearsal:last")
    return await stack.submit(*map(down, names), {"say": "never"}, agent="spared")


FALLBACKS = (falls_back, all_unavailable)
