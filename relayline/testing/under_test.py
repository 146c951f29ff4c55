"""A run under test: what happened, and commands that return once the run rests again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError
from datetime import timedelta
from typing import NamedTuple, TypeVar
from uuid import uuid4

from pydantic import JsonValue
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from relayline.activities.model.port import Prompt
from relayline.contracts.commands import (
    Answer,
    AnyCommand,
    Cancel,
    Close,
    Command,
    Decide,
    Decision,
    Redirect,
    SendMessage,
)
from relayline.contracts.envelope import Envelope, StoredEvent
from relayline.contracts.events import MessageCompleted
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunError, RunResult, RunStatus, Waiting
from relayline.journal.table import EVERY, Storage
from relayline.projections.rendered import Rendered
from relayline.runtime.loop_thread import LoopThread
from relayline.testing.script import Script
from relayline.testing.serving import Setting
from relayline.workflows.agent_run import AgentRun

BOUND_S = 30.0
"""How long a run may take to rest."""
_LOOK_S = 0.01
T = TypeVar("T")
_RESTS = frozenset({RunStatus.WAITING, RunStatus.IDLE, RunStatus.PAUSED, RunStatus.SCHEDULED})


class StillRunning(TimeoutError):
    """The run neither ended nor came to rest within `BOUND_S`; the message has its last events."""


class Refused(Exception):
    """The run refused a command; the message is the reason."""


class Called(NamedTuple):
    """A call of a tool, as the model asked for it."""

    tool: str
    arguments: dict[str, JsonValue]


class Parts(NamedTuple):
    """What a run under test is made of."""

    loop: LoopThread
    env: WorkflowEnvironment
    handle: WorkflowHandle[AgentRun, RunResult]
    storage: Storage
    setting: Setting
    told: Callable[[StoredEvent], None]
    """Called with each event, in the loop's thread."""
    bound_s: float


class RunUnderTest:
    """A run that rests: it has ended, is idle, or waits for a person.

    Each command has it go on, and returns once it rests again.

    Raises:
        Refused: of a command, if the run refuses it.
        StillRunning: of a command, if the run does not rest within `BOUND_S`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stored: list[StoredEvent] = []
        self._rendered = Rendered()

    @property
    def run_id(self) -> str:
        """Its id."""
        return self._parts.handle.id

    @property
    def status(self) -> RunStatus:
        """How it rests."""
        return self._rendered.waits.status

    @property
    def output(self) -> JsonValue:
        """The answer of a completed run, text or the JSON that was asked for; None of any other."""
        return self._rendered.output

    @property
    def error(self) -> RunError | None:
        """Why it failed; None if it did not."""
        return self._rendered.error

    @property
    def usage(self) -> Usage:
        """Words that went to its models and came from them, which count as tokens."""
        return self._rendered.usage

    @property
    def waiting_for(self) -> Sequence[Waiting]:
        """What it waits for, as `GET /v1/runs/{id}` has it."""
        return self._rendered.waits.waiting_for

    @property
    def prompts(self) -> Sequence[Prompt]:
        """What its models were asked, and those of runs below it, in order."""
        return self._parts.setting.models.prompts

    @property
    def events(self) -> Sequence[Envelope]:
        """Everything that happened, as streams of clients have it."""
        return [_envelope(it) for it in self._stored]

    def of(self, kind: str) -> list[dict[str, JsonValue]]:
        """The data of its events of that type, in order."""
        return [json.loads(it.data) for it in self._stored if it.type == kind]

    @property
    def calls(self) -> Sequence[Called]:
        """The tool calls that its model asked for, in order."""
        bodies = (it.body() for it in self._stored if it.type == "message.completed")
        asked = (it.tool_calls for it in bodies if isinstance(it, MessageCompleted))
        return [Called(it.name, it.arguments) for each in asked for it in each]

    def approve(self, arguments: dict[str, JsonValue] | None = None, *, note: str = "") -> None:
        """Approve the oldest call that waits for it, with other arguments if there are any."""
        self._decide(Decision.APPROVE, arguments, note)

    def deny(self, note: str = "") -> None:
        """Deny the oldest call that waits for an approval; the model sees the note."""
        self._decide(Decision.DENY, None, note)

    def answer(self, text: str) -> None:
        """Answer the oldest question."""
        self._command(Answer(request_id=self._oldest("questions"), text=text))

    def send(self, text: str, *, model: Script = ()) -> None:
        """Send an open run its next message; `model` is what its model says from then on."""
        self._extend(model)
        self._command(SendMessage(content=text))

    def redirect(self, text: str, *, model: Script = ()) -> None:
        """Tell the model something in the middle; `model` is what it says from then on."""
        self._extend(model)
        self._command(Redirect(message=text))

    def cancel(self) -> None:
        """Cancel it."""
        self._command(Cancel())

    def close(self) -> None:
        """End an open run."""
        self._command(Close())

    def skip(self, time: timedelta) -> None:
        """Let that much time go by for the run, at once: time-outs of approvals, idle runs."""
        env, handle = self._parts.env, self._parts.handle
        self._do(lambda: env.fast_forward(handle, time))
        self.rest()

    def rest(self) -> None:
        """Return once it rests.

        Raises:
            StillRunning: it does not within `BOUND_S`.
        """
        self._do(self._rested)

    def _extend(self, script: Script) -> None:
        self._parts.setting.models.extend(self._parts.setting.agent, script)

    def _decide(
        self, decision: Decision, arguments: dict[str, JsonValue] | None, note: str
    ) -> None:
        wanted = self._oldest("approvals")
        self._command(Decide(approval_id=wanted, decision=decision, arguments=arguments, note=note))

    def _oldest(self, what: str) -> str:
        """The id of the oldest of the approvals or questions.

        Raises:
            Refused: it waits for none.
        """
        opened: dict[str, object] = dict(getattr(self._rendered.waits, what))
        if not opened:
            raise Refused(f"the run has no open {what}; it is {self.status}")
        return next(iter(opened))

    def _command(self, command: AnyCommand) -> None:
        self._do(lambda: self._applied(command))

    async def _applied(self, command: AnyCommand) -> None:
        """Send it, wait for its receipt, and then until the run rests."""
        id_ = uuid4().hex
        sent: Command = command.model_copy(update={"command_id": id_})
        await self._parts.handle.signal(sent.kind.value, sent)
        await self._until(lambda: self._receipt(id_) is not None)
        kind, data = self._receipt(id_) or ("", {})
        if kind == "command.refused":
            raise Refused(str(data["reason"]))
        await self._rested()

    def _receipt(self, command_id: str) -> tuple[str, dict[str, JsonValue]] | None:
        for kind in ("command.applied", "command.refused"):
            for data in self.of(kind):
                if data["command_id"] == command_id:
                    return kind, data
        return None

    async def _rested(self) -> None:
        await self._until(lambda: self.status.ended or self.status in _RESTS)

    async def _until(self, done: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(self._parts.bound_s):
                await self._look()
                while not done():
                    await asyncio.sleep(_LOOK_S)
                    await self._look()
        except TimeoutError as error:
            last = ", ".join(it.type for it in self._stored[-5:]) or "none"
            why = (
                f"the run is {self.status} after {self._parts.bound_s:g} s; its last events: {last}"
            )
            raise StillRunning(why) from error

    async def _look(self) -> None:
        """Read what is new."""
        after = self._stored[-1].seq if self._stored else 0
        fresh = await self._parts.storage.read(EVERY, self.run_id, after)
        for event in fresh:
            self._rendered = self._rendered.apply(event)
            self._parts.told(event)
        self._stored += fresh

    def _do(self, work: Callable[[], Awaitable[object]]) -> None:
        in_loop(self._parts.loop, work)


def _envelope(event: StoredEvent) -> Envelope:
    return Envelope.model_validate_json(event.envelope_json())


def in_loop(loop: LoopThread, work: Callable[[], Awaitable[T]]) -> T:
    """Do it in that loop, which is another thread's; what it returns.

    Raises:
        CancelledError: the runner was closed meanwhile.
    """

    async def done() -> T:
        return await work()

    future = asyncio.run_coroutine_threadsafe(done(), loop.loop)
    try:
        return future.result()
    except (KeyboardInterrupt, CancelledError):
        future.cancel()
        raise
