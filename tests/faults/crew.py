"""Worker processes on one Temporal and one journal, without an API, to kill, stop and cut off."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, Limits, RunInput, RunResult, ToolSpec
from relayline.dev.temporal_server import find_binary, server_flags
from relayline.journal.port import Journal
from relayline.journal.table import EVERY
from relayline.runtime.children.child import leashed
from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun
from tests.dev_stack import ROOT
from tests.journal.storage import insist, open_journal
from tests.selection import starting

BOUND_S = 60
"""How long anything is waited for."""
SLEEP = ToolSpec(name="sleep", parameters={"type": "object"}, timeout_s=120)
CHARGE = ToolSpec(
    name="charge", parameters={"type": "object"}, timeout_s=120, effects="unsafe", retries=0
)
STANDS_STILL = "a worker stands still"
_PUSH = ("frontend.WorkerCommandsEnabled", "system.enableCancelActivityWorkerCommand")


@asynccontextmanager
async def without_push() -> AsyncIterator[Client]:
    """A server of its own that pushes no cancellation to workers."""
    flags = server_flags()
    kept = [
        word
        for option, value in zip(flags[::2], flags[1::2], strict=True)
        if not value.startswith(_PUSH)
        for word in (option, value)
    ]
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_binary()),
        dev_server_extra_args=kept,
        data_converter=data_converter,
    )
    try:
        yield env.client
    finally:
        await env.shutdown()


class Hand:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def said(self, words: str) -> int:
        """How many lines of its log have these words."""
        return sum(words in line for line in self.log.read_text().splitlines())


class Crew:
    """Workers, the runs that they have, and what the journal says of these."""

    def __init__(self, temporal: Client, storage: str, folder: Path) -> None:
        self.temporal = temporal
        self.storage = storage
        self.journal: Journal = open_journal(storage)
        self.hands: list[Hand] = []
        self._folder = folder
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        starting()
        return self

    async def __aexit__(self, *_: object) -> None:
        for hand in self.hands:
            if hand.process.returncode is None:
                hand.kill()
            await hand.process.wait()
        await self.journal.close()

    async def hire(self, **env: str) -> Hand:
        """A worker process; returns when it is at work."""
        log = self._folder / f"worker-{len(self.hands)}.log"
        address = self.temporal.service_client.config.target_host
        journal = self.storage.partition(":")[2]
        given = {
            "TEMPORAL_ADDRESS": address,
            "RELAYLINE_JOURNAL": journal,
            "RELAYLINE_DATA_DIR": str(self._folder),
            "RELAYLINE_CATALOG": "tests.stack_agents",
            "RELAYLINE_ALLOW_COMMANDS": "1",
            "RELAYLINE_DRAIN_S": "1",
        }
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *leashed((sys.executable, "-P", "-m", "relayline.worker")),
                env=os.environ | {"PYTHONPATH": str(ROOT)} | given | env,
                stderr=out,
                stdout=out,
                cwd=ROOT,
            )
        hand = Hand(process, log)
        self.hands.append(hand)
        await self.until(lambda: hand.said("at work") > 0 or process.returncode is not None)
        assert process.returncode is None, log.read_text()
        return hand

    async def start(self, *items: dict[str, Any], **limits: Any) -> str:
        """Start a rehearsal of these items; the run's id."""
        run_id = f"run_{uuid4().hex}"
        bounds = Limits(**limits)
        agent = AgentSpec(name="tested", model="rehearsal", tools=(SLEEP, CHARGE), limits=bounds)
        script = json.dumps({"rehearse": items})
        await self.temporal.start_workflow(
            AgentRun.run,
            RunInput(run_id=run_id, agent=agent, input=script),
            id=run_id,
            task_queue=TASK_QUEUE,
        )
        return run_id

    def run(self, run_id: str) -> WorkflowHandle[AgentRun, RunResult]:
        return self.temporal.get_workflow_handle_for(AgentRun.run, run_id)

    async def events(self, run_id: str) -> Sequence[StoredEvent]:
        return await insist(lambda: self.journal.read(EVERY, run_id, limit=100_000))

    async def types(self, run_id: str) -> list[str]:
        return [event.type for event in await self.events(run_id)]

    async def seen(self, run_id: str, kind: str) -> StoredEvent:
        """Wait for an event of that type; the first."""
        async with asyncio.timeout(BOUND_S):
            while True:
                events = await self.events(run_id)
                if found := next((it for it in events if it.type == kind), None):
                    return found
                await asyncio.sleep(0.05)

    async def ended(self, run_id: str) -> str:
        """Wait for the end; the type of the terminal fact."""
        async with asyncio.timeout(BOUND_S):
            while (
                not (head := await insist(lambda: self.journal.head(EVERY, run_id)))
                or not head.ended
            ):
                await asyncio.sleep(0.05)
        return (await self.types(run_id))[-1]

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND_S):
            while not check():
                await asyncio.sleep(0.02)

    async def holder_of(self, run_id: str) -> Hand:
        """The worker that has the run's only running call."""
        async with asyncio.timeout(BOUND_S):
            while True:
                described = await self.run(run_id).describe()
                for pending in described.raw_description.pending_activities:
                    pid = pending.last_worker_identity.partition("@")[0]
                    for hand in self.hands:
                        if pid in {str(it) for it in _family(hand.process.pid)}:
                            return hand
                await asyncio.sleep(0.05)


def _family(pid: int) -> list[int]:
    """A process and its children: a leash may stand between the two."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


class Cable:
    """A TCP connection to a server, for whoever connects here; it can be cut and mended.

    A cut cable swallows what is sent, as a network does that drops packets.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._whole = asyncio.Event()
        self._whole.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self._whole.set()
            for writer in list(self._writers):
                writer.close()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        """New connections work again, and old ones go on."""
        self._whole.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, back}
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
