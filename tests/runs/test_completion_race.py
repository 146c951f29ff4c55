"""A redirect that races with the run's completion is applied or refused, never lost."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.dev_stack import DevStack

RUNS = 200
AT_ONCE = 10
WITHIN_S = 0.05
STEP = 1.02
"""What was too early is later by that factor: whatever the first guess, the races reach the end."""
SCRIPT = {"say": "the first answer, word by word", "every_ms": 30}
SAID = SCRIPT["say"]


class Expected:
    """When a run is expected to complete, from the answer to its submission on.

    Each race tells whether that was too early or too late, so that the races stay around the
    completion on a machine that gets busier or idler.
    """

    def __init__(self) -> None:
        self.after_s = 0.0

    async def measure(self, stack: DevStack) -> None:
        """Take a run that nobody disturbs, on a stack as busy as in the races."""

        async def take() -> float:
            run_id = await stack.submit(SCRIPT)
            submitted = time.time()
            assert (await stack.ended(run_id))["output"] == SAID
            completed = (await stack.events(run_id))[-1]["at"]
            return datetime.fromisoformat(completed).timestamp() - submitted

        for _ in range(3):
            taken = await asyncio.gather(*(take() for _ in range(AT_ONCE)))
            self.after_s = statistics.median(taken)

    def learn(self, *, applied: bool) -> None:
        """After a race in which the redirect was applied, or was not."""
        self.after_s *= STEP if applied else 1 / STEP


async def redirected(stack: DevStack, run_id: str, body: dict[str, str]) -> httpx.Response:
    """The answer to a redirect, sent again while a busy Temporal does not answer in time."""
    async with asyncio.timeout(60):
        while True:
            answer = await stack.client.post(f"/v1/runs/{run_id}/redirect", json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer


async def raced(stack: DevStack, after_s: float, text: str) -> str:
    """One run with a redirect so long after its submission; what became of the redirect."""
    run_id = await stack.submit(SCRIPT)
    await asyncio.sleep(after_s)
    body = {"message": text, "command_id": text.replace(" ", "-")}
    answer = await redirected(stack, run_id, body)
    assert answer.status_code in {202, 409}, answer.text
    run = await stack.ended(run_id)
    assert run["status"] == "completed"
    events = await stack.events(run_id)
    assert events[-1]["type"] == "run.completed"
    said = [event["data"]["text"] for event in events if event["type"] == "message.user"][1:]
    if answer.status_code == 409:
        assert answer.json()["type"] == "urn:relayline:problem:run-ended"
        assert (run["output"], said) == (SAID, [])
        return "too late"
    view = await stack.outcome(run_id, body["command_id"])
    told = [event["type"] for event in events if is_about(event, body["command_id"])]
    if view["state"] == "applied":
        assert (run["output"], said) == (f"Understood: {text}", [text])
        assert told == ["command.accepted", "command.applied"]
        return "applied"
    assert (view["state"], view["reason"]) == ("refused", "run-ended")
    assert (run["output"], said) == (SAID, [])
    assert told in ([], ["command.accepted", "command.refused"])
    return "refused"


def is_about(event: dict[str, Any], command_id: str) -> bool:
    return bool(event["data"].get("command_id") == command_id)


@pytest.mark.timeout(300)  # two hundred runs, and what a busy machine adds
async def test_no_redirect_at_the_moment_of_completion_is_lost(
    stack: DevStack, pytestconfig: pytest.Config
) -> None:
    draws = random.Random(pytestconfig.getoption("hypothesis_seed"))  # noqa: S311
    turns = asyncio.Semaphore(AT_ONCE)
    expected = Expected()
    await expected.measure(stack)

    async def race(number: int, offset_s: float) -> str:
        async with turns:
            try:
                became = await raced(stack, expected.after_s + offset_s, f"turn {number}")
            except AssertionError as error:
                error.add_note(f"redirected {offset_s * 1000:+.1f} ms from the expected end")
                raise
        expected.learn(applied=became == "applied")
        return became

    offsets_s = [draws.uniform(-WITHIN_S, WITHIN_S) for _ in range(RUNS)]
    became = Counter(await asyncio.gather(*map(race, range(RUNS), offsets_s)))
    assert became["applied"]
    assert became["refused"] + became["too late"]
    assert became.total() == RUNS
