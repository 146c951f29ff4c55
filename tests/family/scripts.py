"""What runs of a family rehearse, and what is known of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.dev_stack import DevStack

Item = dict[str, Any]
WAIT_S = 60
"""How long a state is waited for."""


def rehearsal(*items: Item) -> str:
    """The input of a run that plays these items."""
    return json.dumps({"rehearse": list(items)})


def asks(agent: str, *items: Item) -> Item:
    """One call of that agent, whose run plays the items."""
    return {"call": f"ask_{agent}", "arguments": {"message": rehearsal(*items)}}


def together(*calls: Item) -> Item:
    """Several calls in one answer."""
    return {"calls": [{"name": it["call"], "arguments": it["arguments"]} for it in calls]}


def says(text: str) -> Item:
    """An answer without a call."""
    return {"say": text}


SLEEPS = {"call": "sleep", "arguments": {"seconds": 60}}
"""A tool call that somebody must stop."""
ASKS_A_PERSON = {"call": "ask_user", "arguments": {"question": "Which colour?"}}


async def below(stack: DevStack, run_id: str) -> list[dict[str, Any]]:
    """The rows of all runs below that one, oldest first."""
    page = await stack.client.get("/v1/runs", params={"root": run_id, "limit": 100})
    runs: list[dict[str, Any]] = page.json()["runs"]
    return runs[::-1]


async def child_of(stack: DevStack, run_id: str) -> str:
    """Wait until the run has started another one; its id."""
    started = await stack.seen(run_id, "child.started")
    child: str = started["data"]["run_id"]
    return child


async def row(stack: DevStack, run_id: str) -> dict[str, Any]:
    """The row of one run."""
    page = await stack.client.get("/v1/runs", params={"q": run_id})
    found: dict[str, Any] = page.json()["runs"][0]
    return found


async def until(stack: DevStack, run_id: str, fits: Callable[[dict[str, Any]], bool]) -> Item:
    """Wait until the row of the run is as wanted; the row."""
    seen: Item = {}
    try:
        async with asyncio.timeout(WAIT_S):
            while not fits(seen := await row(stack, run_id)):
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise AssertionError(f"still {seen}") from error
    return seen


async def facts(stack: DevStack, run_id: str, *types: str) -> list[dict[str, Any]]:
    """What the events of these types say, in order."""
    return [it["data"] for it in await stack.events(run_id) if it["type"] in types]
