"""Throws commands at runs of a stack, keeps what was thrown, and checks what became of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowHistory
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from relayline.contracts.commands import Command
from relayline.contracts.runs import SEARCH_STATUS
from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun
from tests.dev_stack import DevStack
from tests.runs.laws import OUTCOMES, check_laws, only

GENTLE_S = 3.0
"""How long a run is helped to its end before it is cancelled."""
END_S = 20.0
EDITS: dict[str, dict[str, Any]] = {
    "write_file": {"path": "any_order.txt", "content": "a person's"},
    "run_command": {"command": "echo a person"},
}
"""By tool: arguments that fit it and are not the model's."""
MAX_RUNS = 6
"""Runs at the same time, those below them not counted."""
STATUSES = frozenset({202, 404, 409, 422})
"""What a command may be answered."""


@dataclass(frozen=True)
class Throw:
    """A command, before it is known to which run it goes."""

    path: str
    """`pause` and so on, or `approvals/{id}`."""
    body: dict[str, Any] = field(default_factory=dict)
    aimed: bool = False
    """True: at what its run waits for, or another one of the example, if any waits."""


@dataclass
class Sent:
    """A command that was sent to a run, once or more."""

    path: str
    body: dict[str, Any]
    statuses: list[int] = field(default_factory=list)

    @property
    def taken(self) -> bool:
        """True when the sender was told that the run has it."""
        return 202 in self.statuses


class Thrower:
    """Everything that was started and sent in one example."""

    numbers = count(1)

    def __init__(self, stack: DevStack, temporal: Client) -> None:
        self._stack = stack
        self._temporal = temporal
        self.runs: list[str] = []
        self.sent: dict[str, dict[str, Sent]] = defaultdict(dict)
        """By run and command id."""
        self.signals: dict[str, int] = defaultdict(int)
        """How many commands went past the API, by run."""

    @classmethod
    async def on(cls, stack: DevStack) -> Thrower:
        """A thrower for that stack."""
        address = stack.state["temporal"]["address"]
        client = await Client.connect(address, data_converter=data_converter)
        return cls(stack, client)

    def again(self) -> Thrower:
        """Another one, which has sent nothing yet."""
        return Thrower(self._stack, self._temporal)

    async def submit(
        self,
        script: Sequence[dict[str, Any]],
        *,
        talks: bool = False,
        agent: str = "steered",
        **limits: Any,
    ) -> None:
        """Start a run, or a conversation."""
        more = {"open": True} if talks else {}
        run_id = await self._stack.submit(*script, agent=agent, limits=limits, **more)
        self.runs.append(run_id)

    async def fork(self, run_id: str, **body: Any) -> None:
        """Fork the run, if it can be forked there; the fork is one more run."""
        if len(self.runs) >= MAX_RUNS:
            return
        answer = await self._stack.client.post(f"/v1/runs/{run_id}/fork", json=body)
        assert answer.status_code in STATUSES, answer.text
        if answer.status_code == 202:
            self.runs.append(answer.json()["run_id"])

    async def below(self, *run_ids: str) -> list[str]:
        """The runs below these, oldest first."""
        ask = self._stack.client.get
        pages = [await ask("/v1/runs", params={"root": it, "limit": 100}) for it in run_ids]
        return [it["run_id"] for page in pages for it in page.json()["runs"][::-1]]

    async def throw_below(self, run_id: str, nth: int, *throws: Throw) -> None:
        """Send commands to one of the runs below that run, if there are any."""
        if children := await self.below(run_id):
            await self.throw(children[nth % len(children)], *throws)

    async def throw(self, run_id: str, *throws: Throw, times: int = 1) -> None:
        """Send commands side by side, each under an id of its own, so many times at once."""
        await asyncio.gather(*(self._throw(run_id, throw, times) for throw in throws))

    async def _throw(self, run_id: str, throw: Throw, times: int) -> None:
        sent = Sent(throw.path, throw.body)
        if throw.aimed:
            run_id = await self._aim(run_id, sent)
        command_id = f"{sent.path.split('/')[0]}-{next(self.numbers)}"
        self.sent[run_id][command_id] = sent
        await self.post(run_id, command_id, times=times)

    async def _aim(self, run_id: str, sent: Sent) -> str:
        """At something of its kind that a run waits for, that run if there is a choice."""
        kind = "input" if sent.path == "answer" else "approval"
        for wanted in (run_id, *self.runs):
            for item in (await self.view(wanted))["waiting_for"]:
                if item["kind"] == kind:
                    _aim_at(item, sent)
                    return wanted
        return run_id

    async def post(self, run_id: str, command_id: str, *, times: int = 1) -> None:
        """Send a command as it was sent before, so many times at once."""
        sent = self.sent[run_id][command_id]
        url, body = f"/v1/runs/{run_id}/{sent.path}", {**sent.body, "command_id": command_id}
        posts = (self._stack.client.post(url, json=body) for _ in range(times))
        for answer in await asyncio.gather(*posts):
            assert answer.status_code in STATUSES, answer.text
            sent.statuses.append(answer.status_code)
            if answer.status_code == 202:
                assert answer.json()["command_id"] == command_id
                whose = answer.json().get(
                    "run_id", run_id
                )  # a run below, if its parent passes it on
                self.sent[whose][command_id] = self.sent[run_id].pop(command_id, sent)

    async def signal(self, run_id: str, command: Command | None) -> None:
        """Send a command past the API, with whatever is in it; None: Temporal's own cancel."""
        handle = self._temporal.get_workflow_handle(run_id)
        try:
            await (handle.signal(command.kind.value, command) if command else handle.cancel())
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            self.signals[run_id] += 1

    async def view(self, run_id: str) -> dict[str, Any]:
        """`GET /v1/runs/{id}`."""
        answer = await self._stack.client.get(f"/v1/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def asked(self, run_id: str) -> None:
        """Wait, but not for long, until the run waits for somebody."""
        for _ in range(20):
            if (await self.view(run_id))["waiting_for"]:
                return
            await asyncio.sleep(0.03)

    async def finish(self, *, gently: bool) -> None:
        """Bring every run to its end."""
        await asyncio.gather(*(self._finish(run_id, gently=gently) for run_id in self.runs))

    async def _finish(self, run_id: str, *, gently: bool) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (GENTLE_S if gently else 0)
        while loop.time() < deadline:
            if await self._helped(run_id):
                break
            await asyncio.sleep(0.05)
        else:
            await self.throw(run_id, Throw("cancel", {"reason": "it is late", "by": "test"}))
        async with asyncio.timeout(END_S):
            for each in (run_id, *await self.below(run_id)):
                while await self._open(each):
                    await asyncio.sleep(0.01)

    async def _helped(self, run_id: str) -> bool:
        """Do what the run and those below it wait for; True if it has ended."""
        view = await self.view(run_id)
        for item in view["waiting_for"]:
            await self.throw(run_id, _help(item["kind"], item["id"]))
        for child in await self.below(run_id):
            if (await self.view(child))["status"] == "paused":
                await self.throw(child, Throw("resume"))
        if view["status"] == "idle":
            await self.throw(run_id, Throw("close"))
        return bool(view["ended_at"])

    async def _open(self, run_id: str) -> bool:
        found = await self._temporal.get_workflow_handle(run_id).describe()
        return found.status is WorkflowExecutionStatus.RUNNING

    async def check(self) -> None:
        """Everything that holds for runs that have ended, and for those below them."""
        children = await self.below(*self.runs)
        for run_id in (*self.runs, *children):
            events = await self._stack.events(run_id)
            check_laws(events)
            await self._check_receipts(run_id, events, told=run_id in children)
            await self._check_status(run_id, events)
        await self._check_replay(*self.runs, *children)
        for run_id in (*self.runs, *children):
            assert (await self._stack.events(run_id))[-1]["type"].startswith("run.")

    async def _check_receipts(
        self, run_id: str, events: list[dict[str, Any]], *, told: bool
    ) -> None:
        """Each 202 came to something, and nothing else did, but for what a parent has `told`."""
        outcomes = {event["data"]["command_id"]: event for event in only(events, *OUTCOMES)}
        strangers = outcomes.keys() - self.sent[run_id].keys()
        assert told or len(strangers) <= self.signals[run_id]
        for command_id, sent in self.sent[run_id].items():
            path = f"/v1/runs/{run_id}/commands/{command_id}"
            answer = await self._stack.client.get(path)
            if not sent.taken:
                assert command_id not in outcomes, (command_id, sent)
                assert answer.status_code == 404
                continue
            view = answer.json()
            if outcome := outcomes.get(command_id):
                assert f"command.{view['state']}" == outcome["type"]
            else:
                assert (view["state"], view["reason"]) == ("refused", "run-ended"), command_id

    async def _check_status(self, run_id: str, events: list[dict[str, Any]]) -> None:
        """API, query and search attribute say what the terminal event says."""
        status = events[-1]["type"].removeprefix("run.")
        view = await self.view(run_id)
        progress = (await self._stack.client.get(f"/v1/runs/{run_id}/progress")).json()
        handle = self._temporal.get_workflow_handle(run_id)
        live = await handle.query(AgentRun.progress)
        shown = (await handle.describe()).typed_search_attributes
        said = (view["status"], progress["status"], live.status.value)
        assert {*said, shown.get(SearchAttributeKey.for_keyword(SEARCH_STATUS))} == {status}
        assert view["usage"] == progress["usage"] == live.usage.model_dump()
        assert [*view["waiting_for"], *progress["waiting_for"], *live.waiting_for] == []
        steps = [event["step"] for event in only(events, "step.started")]
        assert live.step == max(steps, default=0)

    async def _check_replay(self, *run_ids: str) -> None:
        async def histories() -> AsyncIterator[WorkflowHistory]:
            for run_id in run_ids:
                handle: WorkflowHandle[Any, Any] = self._temporal.get_workflow_handle(run_id)
                yield await handle.fetch_history()

        replayer = Replayer(workflows=[AgentRun], data_converter=data_converter)
        await replayer.replay_workflows(histories())


def _aim_at(item: dict[str, Any], sent: Sent) -> None:
    if item["kind"] == "input":
        sent.body = {**sent.body, "request_id": item["id"]}
        return
    sent.path = f"approvals/{item['id']}"
    fitting = EDITS.get(item["what"].split("(")[0])
    if fitting and "arguments" in sent.body:
        sent.body = {**sent.body, "arguments": fitting}


def _help(kind: str, id_: str | None) -> Throw:
    match kind:
        case "approval":
            return Throw(f"approvals/{id_}", {"decision": "approve"})
        case "input":
            return Throw("answer", {"request_id": id_, "text": "happened: yes"})
        case _:
            return Throw("resume")
