"""A run whose context grows past its bound, through a kill of its worker and a reset."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.dev_stack import DevStack
from tests.resetting import reset

Event = dict[str, Any]
WORDS = 300
STEPS = 7
"""The context is compacted before the 5th model call, and before the 8th, which is the last."""
CALL: Event = {"call": "calculate", "arguments": {"expression": "6*7"}}
GROWS: list[Event] = [{"tokens": WORDS, "words_per_delta": 100}, CALL] * STEPS


def submission(last: str, every_ms: int = 0) -> tuple[dict[str, Any], ...]:
    return (*GROWS, {"say": last, "every_ms": every_ms})


def compactions(events: list[Event]) -> dict[int, Event]:
    """By step; no step has two."""
    found = [event for event in events if event["type"] == "context.compacted"]
    by_step = {event["step"]: event["data"] for event in found}
    assert len(by_step) == len(found)
    return by_step


def usages(events: list[Event]) -> list[int]:
    """Words that each step's provider was told (and its summary's, if it has one)."""
    whole = [event for event in events if event["type"] == "message.completed"]
    return [event["data"]["usage"]["input_tokens"] for event in whole]


async def test_the_provider_is_told_no_more_than_the_bound_and_the_run_adds_up(
    stack: DevStack,
) -> None:
    run_id = await stack.submit(*submission("done"), agent="terse")
    run = await stack.ended(run_id)
    assert (run["status"], run["output"], run["step"]) == ("completed", "done", STEPS + 1)
    events = await stack.events(run_id)
    done = compactions(events)
    assert list(done) == [5, 8]
    for body in done.values():
        assert body["kind"] == "summarise"
        assert body["before_tokens"] > 1500
        assert body["after_tokens"] <= 700
        assert body["summary"].startswith("A rehearsed summary of ")
    told = dict(enumerate(usages(events), start=1))
    for step, body in done.items():
        told[step] -= body["usage"]["input_tokens"]
    assert max(told.values()) < 4 * WORDS < STEPS * WORDS
    whole = [event["data"]["usage"] for event in events if event["type"] == "message.completed"]
    for kind in ("input_tokens", "output_tokens"):
        assert run["usage"][kind] == sum(usage[kind] for usage in whole)


async def test_a_killed_worker_and_a_reset_neither_lose_nor_double_a_compaction(
    stack: DevStack,
) -> None:
    quiet = await stack.submit(*submission("w " * 60), agent="terse")
    await stack.ended(quiet)
    expected = await stack.events(quiet)
    run_id = await stack.submit(*submission("w " * 60, every_ms=100), agent="terse")
    last = STEPS + 1
    async with asyncio.timeout(30):
        while not any(
            event["type"] == "message.delta" and event.get("step") == last
            for event in await stack.events(run_id)
        ):
            await asyncio.sleep(0.02)
    stack.kill_worker()
    assert (await stack.ended(run_id))["status"] == "completed"
    events = await stack.events(run_id)
    assert [event["step"] for event in events if event["type"] == "attempt.superseded"] == [last]
    by = [event["attempt"] for event in events if event["type"] == "context.compacted"]
    assert by == [1, 1], "the attempt that was killed had compacted"
    assert _alike(compactions(events)) == _alike(compactions(expected))
    assert usages(events) == usages(expected), "attempt 2 told and paid the same"

    await reset(stack, run_id, after_activity=2 * 2)  # to after the tool of step 2
    async with asyncio.timeout(30):
        while [e["type"] for e in await stack.events(run_id)].count("run.completed") < 2:
            await asyncio.sleep(0.05)
    rewound = next(e for e in await stack.events(run_id) if e["type"] == "run.rewound")
    again = (await stack.events(run_id))[rewound["seq"] :]
    assert _alike(compactions(again)) == _alike(compactions(expected)), "those before are void"
    assert usages(again) == usages(expected)[2:]


def _alike(found: dict[int, Event]) -> dict[int, Event]:
    """What does not depend on the places of the events."""
    places = {"kept_from", "kept"}
    return {
        step: {name: value for name, value in body.items() if name not in places}
        for step, body in found.items()
    }
