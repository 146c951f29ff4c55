"""A campaign: a load of runs on a stack, faults meanwhile, then everything that was seen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from journal.reading import read_all
from journal.sqlite import SqliteJournal
from tests.chaos.agents import FOLDER, MARKING, MODULE, UNSAFE
from tests.chaos.clients import Follower, Person, eventually
from tests.chaos.observed import Effect, Observed
from tests.chaos.plans import Plan, plan
from tests.dev_stack import DevStack
from workflows.agent_run import AgentRun

END_S = 90.0
"""How long runs may take to end once nothing is done to them any more."""


@dataclass
class Watched:
    """A run of the load with those who deal with it."""

    run_id: str
    plan: Plan
    person: Person
    followers: list[Follower] = field(default_factory=list)


def chaos_stack(data_dir: Path, **env: str) -> DevStack:
    """A stack with two workers and the agent `chaos`; not yet started."""
    effects = data_dir / "effects"
    effects.mkdir(parents=True)
    settings = {FOLDER: str(effects), "RELAYLINE_CATALOG": MODULE, "RELAYLINE_HEARTBEAT_S": "5"}
    return DevStack(data_dir, "--workers", "2", **settings, **env)


class Load:
    """Submits runs, follows and steers them, and tells what was seen."""

    def __init__(self, stack: DevStack, seed: int, *, at_once: int = 10) -> None:
        self.watched: list[Watched] = []
        self._stack = stack
        self._seed = seed
        self._closed = False
        self._places = asyncio.Semaphore(at_once)
        self._http = httpx.AsyncClient(
            base_url=stack.state["api"]["url"],
            timeout=20,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )

    async def play(self, runs: int) -> None:
        """That many runs from submission to end, or fewer if the door is closed meanwhile."""
        async with asyncio.TaskGroup() as group:
            for number in range(runs):
                await self._places.acquire()
                if self._closed:
                    return
                group.create_task(self._play(number))

    def close_the_door(self) -> None:
        """Submit no more."""
        self._closed = True

    async def run(self, made: Plan, number: int) -> None:
        """One run from submission to end, with two who follow it and one who steers."""
        random = Random(f"{self._seed}/{number}/clients")  # noqa: S311
        body = {"agent": "chaos", "input": made.input}
        headers = {"Idempotency-Key": f"{self._seed}-{number}"}
        answer = await eventually(lambda: self._http.post("/v1/runs", json=body, headers=headers))
        run_id: str = answer.json()["run_id"]
        watched = Watched(run_id, made, Person(self._http, run_id, made, random))
        watched.followers += [Follower(self._http, run_id, random) for _ in range(2)]
        self.watched.append(watched)
        async with asyncio.TaskGroup() as group:
            group.create_task(watched.person.steer())
            for follower in watched.followers:
                group.create_task(follower.follow())

    async def observe(self, **about: Any) -> list[Observed]:
        """All that is known of every run that was accepted."""
        journal = SqliteJournal(self._stack.data_dir / "journal.db")
        temporal = await self._stack.temporal()
        try:
            return [await self._observed(it, journal, temporal, **about) for it in self.watched]
        finally:
            await journal.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _play(self, number: int) -> None:
        try:
            await self.run(plan(Random(f"{self._seed}/{number}")), number)  # noqa: S311
        finally:
            self._places.release()

    async def _observed(
        self, it: Watched, journal: SqliteJournal, temporal: Client, **about: Any
    ) -> Observed:
        view = await it.person.view()
        await it.person.ask_outcomes()
        return Observed(
            it.run_id,
            await read_all(journal, it.run_id, facts=False),
            input=it.plan.input,
            clients={f"client {n}": them.connections for n, them in enumerate(it.followers)},
            sent=it.person.sent,
            effects=effects_of(self._stack.data_dir / "effects" / it.run_id),
            marking=MARKING,
            unsafe=UNSAFE,
            status=view["status"],
            waiting_for=view["waiting_for"],
            replay=await _replayed(temporal, it.run_id),
            **about,
        )


async def _replayed(temporal: Client, run_id: str) -> str:
    """What a replay of the run's newest execution complains of."""
    handle: WorkflowHandle[Any, Any] = temporal.get_workflow_handle(run_id)
    replayer = Replayer(workflows=[AgentRun], data_converter=pydantic_data_converter)
    history = await handle.fetch_history()
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return str(result.replay_failure or "")


def effects_of(file: Path) -> list[Effect]:
    """The lines that the run's tools have left."""
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text().splitlines()]
    return [Effect(call_id, int(attempt)) for call_id, attempt in lines]
