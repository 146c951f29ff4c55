"""A whole `relayline dev` in processes of its own, for tests that kill things."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from temporalio.client import Client

from relayline.contracts.commands import Command
from relayline.contracts.runs import TERMINAL
from relayline.dev.encryption import KEYS_FILE
from relayline.dev.ports import free_port
from relayline.dev.temporal_server import NAMESPACE
from relayline.runtime.children.child import leashed
from relayline.runtime.payloads.converter import converter_for
from relayline.runtime.payloads.ring import ListedKeys
from tests.selection import starting
from tests.stack_agents import MODULE

READY_S = 120
SEEN_S = 60
"""How long an event is waited for."""
ENDED_S = 60
"""How long the end of a run is waited for."""
STOP_S = 60
ROOT = Path(__file__).parents[1]
WORKERS_OWN = "a-token-of-the-worker-0123456789"
"""In the environment of every process; nothing that a worker writes may have it."""


def alive(pid: int) -> bool:
    """Whether that process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def _killed(process: asyncio.subprocess.Process) -> None:
    """SIGKILL, if it is still there; Linux kills its children then."""
    if process.returncode is None:
        process.kill()
    await process.wait()


class DevStack:
    """`relayline dev` on free ports; enter it to start, leave it to stop.

    Nothing is left behind, whether it starts, stops in time, or the tests' own process dies.
    """

    def __init__(self, data_dir: Path, *options: str, **env: str) -> None:
        self.data_dir = data_dir
        self._options = options
        self._env = env
        self._process: asyncio.subprocess.Process | None = None
        self.client = httpx.AsyncClient()

    async def __aenter__(self) -> Self:
        starting()
        ports = ("--api-port", "--temporal-port", "--ui-port")
        chosen = [text for option in ports for text in (option, str(free_port()))]
        relayline = str(Path(sys.executable).with_name("relayline"))
        command = (relayline, "dev", "--data-dir", str(self.data_dir), *chosen, *self._options)
        self._process = await asyncio.create_subprocess_exec(
            *leashed(command),
            cwd=ROOT,
            env=os.environ | self._settings() | self._env,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await self._up(self._process)
        except BaseException:
            await _killed(self._process)
            raise
        self.client = httpx.AsyncClient(base_url=self.state["api"]["url"], timeout=30)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.client.aclose()
        await self.stop()

    @property
    def state(self) -> dict[str, Any]:
        """What `dev.json` says now."""
        state: dict[str, Any] = json.loads((self.data_dir / "dev.json").read_text())
        return state

    @property
    def pids(self) -> list[int]:
        """Every process of the stack but the supervisor."""
        state = self.state
        return [
            state["api"]["pid"],
            state["temporal"]["pid"],
            *(worker["pid"] for worker in state["workers"]),
        ]

    @property
    def api_urls(self) -> list[str]:
        """Where the API listens."""
        return [self.state["api"]["url"]]

    @property
    def journal(self) -> str:
        """The journal's address, as `RELAYLINE_JOURNAL` takes it."""
        return self._env.get("RELAYLINE_JOURNAL") or str(self.data_dir / "journal.db")

    @property
    def journal_server(self) -> None:
        """The journal is a file."""
        return

    def pids_of(self, target: str) -> list[int]:
        """The processes of that kind, none while that is being written down."""
        try:
            state = self.state
        except (OSError, ValueError):
            return []
        if target == "worker":
            return [worker["pid"] for worker in state["workers"]]
        return [state[target]["pid"]]

    @property
    def supervisor_pid(self) -> int:
        """The process of `relayline dev` itself."""
        assert self._process is not None
        return self._process.pid

    async def stop(self) -> int:
        """SIGTERM, then wait; the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                return await self._process.wait()
        except BaseException:
            await _killed(self._process)
            raise

    def kill_worker(self) -> int:
        """SIGKILL the first worker; its pid."""
        pid: int = self.state["workers"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def submit(self, *script: dict[str, Any], **fields: Any) -> str:
        """Submit a rehearsal of these items; the run's id."""
        body = {"agent": "assistant", "input": json.dumps({"rehearse": list(script)}), **fields}
        answer = await self.client.post("/v1/runs", json=body)
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["run_id"]
        return run_id

    async def send(self, run_id: str, command: str, **body: Any) -> str:
        """POST a command, e.g. `cancel` or `approvals/{id}`; its id."""
        answer = await self.client.post(f"/v1/runs/{run_id}/{command}", json=body)
        assert answer.status_code == 202, answer.text
        command_id: str = answer.json()["command_id"]
        return command_id

    async def outcome(self, run_id: str, command_id: str) -> dict[str, Any]:
        """Wait for what became of a command."""
        path = f"/v1/runs/{run_id}/commands/{command_id}"
        view: dict[str, Any] = (await self.client.get(path, params={"wait": 15})).json()
        return view

    async def temporal(self) -> Client:
        """A client of the stack's Temporal."""
        address = self.state["temporal"]["address"]
        keys = self._env.get("RELAYLINE_PAYLOAD_KEYS", "")
        made = self.data_dir / KEYS_FILE
        ring = ListedKeys.parse(made.read_text() if made.exists() else keys)
        return await Client.connect(address, data_converter=converter_for(ring, NAMESPACE))

    async def signal(self, run_id: str, command: Command) -> None:
        """Signal the workflow itself, past the API."""
        temporal = await self.temporal()
        await temporal.get_workflow_handle(run_id).signal(command.kind.value, command)

    async def ended(self, run_id: str) -> dict[str, Any]:
        """Wait for the run's end; what `GET /v1/runs/{id}` says then, or after `ENDED_S`."""
        path, until = f"/v1/runs/{run_id}", time.monotonic() + ENDED_S
        while True:
            answer = await self.client.get(path, params={"wait": 30}, timeout=60)
            run: dict[str, Any] = answer.json()
            if run.get("status") in TERMINAL or time.monotonic() > until:
                return run

    async def events(self, run_id: str) -> list[dict[str, Any]]:
        """The whole journal of the run, by pages."""
        events: list[dict[str, Any]] = []
        while True:
            after = events[-1]["seq"] if events else 0
            page = await self.client.get(f"/v1/runs/{run_id}/events", params={"after": after})
            events += page.json()["events"]
            if not page.json()["events"]:
                return events

    async def seen(self, run_id: str, *types: str) -> dict[str, Any]:
        """Wait until an event of one of these types is in the journal; the first one."""
        return await self._seen(run_id, f"{types}", lambda event: event["type"] in types)

    async def seen_text(self, run_id: str, text: str) -> dict[str, Any]:
        """Wait until a value in some event's data is that text; the event."""
        return await self._seen(run_id, repr(text), lambda event: text in event["data"].values())

    async def _seen(
        self, run_id: str, what: str, fits: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        events: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(SEEN_S):
                while True:
                    events = await self.events(run_id)
                    if found := next(filter(fits, events), None):
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            there = [(event["type"], event["at"]) for event in events]
            worker = (self.data_dir / "logs" / "worker-1.log").read_text()[-2000:]
            raise AssertionError(f"no {what} within {SEEN_S} s: {there}\n{worker}") from error

    def _settings(self) -> dict[str, str]:
        """Tools of every kind; files go where the stack keeps its own."""
        return {
            "RELAYLINE_CATALOG": MODULE,
            "RELAYLINE_ALLOW_COMMANDS": "1",
            "RELAYLINE_FILES_ROOT": str(ROOT),
            "RELAYLINE_REDACT": "STACK_TOKEN",
            "STACK_TOKEN": WORKERS_OWN,
        }

    async def _up(self, process: asyncio.subprocess.Process) -> None:
        async with asyncio.timeout(READY_S):
            while not await self._ready():
                assert process.returncode is None, "relayline dev did not start"
                await asyncio.sleep(0.05)

    async def _ready(self) -> bool:
        try:
            url = self.state["api"]["url"]
            async with httpx.AsyncClient(base_url=url, timeout=2) as client:
                return (await client.get("/readyz")).status_code == 200
        except (OSError, ValueError, httpx.HTTPError):
            return False
