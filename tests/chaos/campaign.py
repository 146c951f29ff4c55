"""A campaign: a load of runs on a stack, faults meanwhile, then everything that was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import httpx
from temporalio.client import Client

from relayline.journal.table import Storage
from relayline.journal.terminal import read_all
from tests.chaos import operators
from tests.chaos.agents import MARKING, OUTPUTS, UNSAFE
from tests.chaos.clients import Apis, Follower, Person, eventually
from tests.chaos.observed import Observed, effects_of, first_said
from tests.chaos.plans import Plan, plan
from tests.chaos.receiver import DOWN_S, ChaosReceiver
from tests.chaos.replays import replayed
from tests.chaos.stacks import Stack, opened
from tests.chaos.told import Told
from tests.chaos.trees import observed_below, tree_ended

_RUNS = "WorkflowType = 'AgentRun'"
LISTED_S = 30.0
"""How long Temporal may take until it lists the runs that it has."""
TOLD_S = 60.0
"""How long a receiver that is up again may take to hear everything."""
END_S = 90.0
"""How long runs may show nothing new once nothing is done to them any more."""


@dataclass
class Watched:
    """A run of the load with those who deal with it."""

    run_id: str
    plan: Plan
    person: Person
    followers: list[Follower] = field(default_factory=list)
    hands: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by an operator who is at it."""
    resets: int = 0
    """How often it was reset."""
    fork: bool = False
    """True for a fork: it is told to no receiver that only its origin named."""
    done: bool = False
    """True when nobody deals with it any more."""


class Load:
    """Submits runs, follows and steers them, and tells what was seen."""

    def __init__(
        self,
        stack: Stack,
        seed: int,
        *,
        at_once: int = 10,
        make: Callable[[Random], Plan] = plan,
        told_s: float = TOLD_S,
    ) -> None:
        """Make runs for that stack.

        Args:
            stack: What they run on.
            seed: What is drawn is drawn from it.
            at_once: Runs at a time.
            make: Draws the plan of a run.
            told_s: How long the receiver may take to hear everything once it is up.
        """
        self.watched: list[Watched] = []
        self.receiver: ChaosReceiver | None = None
        self._stack = stack
        self._seed = seed
        self._make = make
        self._told_s = told_s
        self._closed = False
        self._places = asyncio.Semaphore(at_once)
        self._http = httpx.AsyncClient(
            timeout=20,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )

    async def open_receiver(self, down_s: float = DOWN_S) -> None:
        """Have every run told to a receiver of webhooks, which is down and up by turns."""
        receiver = ChaosReceiver(self._seed, down_s)
        await receiver.open()
        path = f"{self._stack.api_urls[0]}/v1/webhooks/default/rotate"
        answer = await eventually(lambda: self._http.post(path))
        receiver.secret = answer.json()["secret"]
        self.receiver = receiver

    async def play(self, runs: int, until: Callable[[], bool] = lambda: True) -> None:
        """That many runs from submission to end, and more until that is so.

        Fewer if the door is closed meanwhile.
        """
        async with asyncio.TaskGroup() as group:
            for number in count():
                await self._places.acquire()
                if self._closed or (number >= runs and until()):
                    return
                group.create_task(self._play(number))

    def open_runs(self) -> list[str]:
        """The runs that somebody still deals with."""
        return [it.run_id for it in self.watched if not it.done]

    def close_the_door(self) -> None:
        """Submit no more."""
        self._closed = True

    async def run(self, made: Plan, number: int) -> None:
        """One run from submission to end, with two who follow it and one who steers."""
        random = Random(f"{self._seed}/{number}/clients")  # noqa: S311
        body: dict[str, Any] = {"agent": made.agent, "input": made.input}
        if made.open:
            body["open"] = True
        if self.receiver:
            body["webhook"] = {"url": self.receiver.url}
        headers = {"Idempotency-Key": f"{self._seed}-{number}"}
        apis = Apis(self._http, self._stack.api_urls, random)
        answer = await eventually(lambda: apis.post("/v1/runs", json=body, headers=headers))
        run_id: str = answer.json()["run_id"]
        await self._attend(run_id, made, apis, random)
        if made.fork:
            await self._fork(run_id, made, apis, random)

    async def _fork(self, run_id: str, made: Plan, apis: Apis, random: Random) -> None:
        """Fork a run that has ended, if it can be, and see the fork to its end."""
        headers, body = {"Idempotency-Key": f"{run_id}-fork"}, {"message": made.fork}
        path = f"/v1/runs/{run_id}/fork"
        answer = await eventually(lambda: apis.post(path, json=body, headers=headers))
        if answer.is_success:
            await self._attend(answer.json()["run_id"], made, apis, random, fork=True)

    async def _attend(
        self, run_id: str, made: Plan, apis: Apis, random: Random, *, fork: bool = False
    ) -> None:
        """See a run, and those below it, to the end."""
        watched = Watched(run_id, made, Person(apis, run_id, made, random), fork=fork)
        watched.followers += [Follower(apis, run_id, random) for _ in range(2)]
        self.watched.append(watched)
        while not watched.done:
            seen = watched.resets
            async with asyncio.TaskGroup() as group:
                group.create_task(watched.person.steer())
                for follower in watched.followers:
                    group.create_task(follower.follow())
            async with watched.hands:
                watched.done = watched.resets == seen
        if made.agent != "chaos":
            with suppress(TimeoutError):  # the checker says so of those that are open
                await asyncio.wait_for(tree_ended(self._stack, run_id), END_S)

    async def ended(self, playing: asyncio.Task[None], still_s: float = END_S) -> None:
        """Wait until all runs have ended; give up once nobody has seen anything new for so long.

        A machine with much to do takes its time, but what is lost never comes.
        """
        seen = -1
        while not playing.done() and (newest := self._seen()) > seen:
            seen = newest
            await asyncio.wait({playing}, timeout=still_s)
        if not playing.done():
            playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing

    def _seen(self) -> int:
        """How many events the followers have seen."""
        return sum(them.newest for it in self.watched for them in it.followers)

    async def operate(self, what: str, random: Random) -> str | None:
        """Reset, terminate or hold some run that people deal with; which one, if that succeeded."""
        open_ = [it for it in self.watched if not it.done and not it.hands.locked()]
        for it in random.sample(open_, len(open_)):
            async with it.hands:
                if await self._operated(what, it, random):
                    return it.run_id
        return None

    async def _operated(self, what: str, it: Watched, random: Random) -> bool:
        """A reset counts from when Temporal has taken it: the run has to tell of it by its end."""
        if what == "terminate":
            return await operators.terminate(self._stack, it.run_id)
        if what == "hold":
            return await operators.hold(self._stack, it.run_id, random)
        if not await operators.reset(self._stack, it.run_id, random):
            return False
        it.resets += 1
        with suppress(TimeoutError):  # the checker says so if it is never told
            await operators.told(self._stack, it.run_id, it.resets)
        return True

    async def observe(self, **about: Any) -> list[Observed]:
        """All that is known of every run that was accepted, and of every other that there is."""
        await self.all_told()
        journal = opened(self._stack)
        temporal = await self._stack.temporal()
        try:
            runs = [await self._observed(it, journal, temporal, **about) for it in self.watched]
            for it in self.watched:
                given = (self._stack, journal, temporal, it.run_id, it.person.sent)
                runs += await observed_below(*given)
            known = {it.run_id for it in runs}
            for run_id in sorted(await self._strangers(temporal) - known):
                stored = await read_all(journal, run_id, facts=False)
                runs.append(Observed(run_id, stored, accepted=False))
            return runs
        finally:
            await journal.close()

    async def _strangers(self, temporal: Client) -> set[str]:
        """Runs in Temporal, or with lines on disk, that nobody has submitted.

        Raises:
            TimeoutError: Temporal does not list the runs that were accepted.
        """
        accepted = {it.run_id for it in self.watched}
        async with asyncio.timeout(LISTED_S):
            while not accepted <= (found := {it.id async for it in temporal.list_workflows(_RUNS)}):
                await asyncio.sleep(0.2)
        return (found | {it.name for it in (self._stack.data_dir / "effects").iterdir()}) - accepted

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()
        if self.receiver:
            await self.receiver.close()

    async def all_told(self) -> None:
        """Wait until the receiver, now up, has taken everything; the checker says if it has not."""
        if self.receiver is None:
            return
        self.receiver.recover()
        journal = opened(self._stack)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._told_s):
                    for it in (each for each in self.watched if not each.fork):
                        stored = await read_all(journal, it.run_id, facts=True)
                        await self.receiver.hears(Observed(it.run_id, stored))
        finally:
            await journal.close()

    def _told_of(self, run_id: str) -> list[Told]:
        return self.receiver.told_of(run_id) if self.receiver else []

    async def _play(self, number: int) -> None:
        try:
            await self.run(self._make(Random(f"{self._seed}/{number}")), number)  # noqa: S311
        finally:
            self._places.release()

    async def _observed(
        self, it: Watched, journal: Storage, temporal: Client, **about: Any
    ) -> Observed:
        view = await it.person.view()
        await it.person.ask_outcomes()
        executions, complaint = await replayed(temporal, it.run_id)
        stored = await read_all(journal, it.run_id, facts=False)
        return Observed(
            it.run_id,
            stored,
            input=first_said(stored) if it.fork else it.plan.input,
            clients={f"client {n}": them.connections for n, them in enumerate(it.followers)},
            sent=[sent for sent in it.person.sent if not sent.run_id],
            effects=effects_of(self._stack.data_dir / "effects" / it.run_id),
            marking=MARKING,
            unsafe=UNSAFE,
            outputs=OUTPUTS,
            status=view["status"],
            waiting_for=view["waiting_for"],
            replay=complaint,
            executions=executions,
            resets=it.resets,
            told=self._told_of(it.run_id) if self.receiver and not it.fork else None,
            **about,
        )
