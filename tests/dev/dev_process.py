"""A `relayline dev` in the test's own process or in one of its own, with stand-ins for children."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from relayline.dev.options import Commands, DevOptions
from relayline.dev.stack import run_dev
from relayline.dev.state_file import DevState
from tests.dev_stack import ROOT, alive
from tests.selection import starting

_HERE = Path(__file__).parent
API = (sys.executable, str(_HERE / "stand_in_api.py"))
WORKER = (sys.executable, str(_HERE / "stand_in_worker.py"))
STUBBORN_WORKER = (*WORKER, "--stubborn")
NEVER_READY_API = ("sleep", "1000")


def options(data_dir: Path, **changes: Any) -> DevOptions:
    """On free ports, with stand-ins for worker and API."""
    commands = Commands(
        worker=changes.pop("worker", WORKER),
        api=changes.pop("api", API),
    )
    ports = {"api_port": 0, "temporal_port": 0, "ui_port": 0}
    return DevOptions(**{"data_dir": data_dir, "commands": commands, **ports, **changes})


def told(data_dir: Path) -> dict[str, Any]:
    """What `dev.json` says."""
    state: dict[str, Any] = json.loads((data_dir / "dev.json").read_text())
    return state


def told_pids(data_dir: Path) -> list[int]:
    """Every pid in `dev.json`, the API's first."""
    state = told(data_dir)
    pids = [state["api"]["pid"], state["temporal"]["pid"]]
    pids += [worker["pid"] for worker in state["workers"]]
    return [pid for pid in pids if pid is not None]


def told_other_pids(data_dir: Path, pids: list[int]) -> bool:
    """Whether `dev.json` tells of others; False while it is being written or taken away."""
    try:
        return told_pids(data_dir) != pids
    except FileNotFoundError:
        return False


async def until(condition: Callable[[], bool], within_s: float) -> None:
    """Wait for the condition; TimeoutError when it does not come true in time."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


async def until_gone(pids: list[int], within_s: float) -> None:
    """Wait for the end of all these processes."""
    await until(lambda: not any(map(alive, pids)), within_s)


@asynccontextmanager
async def running_dev(wanted: DevOptions) -> AsyncIterator[tuple[DevState, asyncio.Task[int]]]:
    """Run it in this process; entered when it is ready, left when it has stopped."""
    starting()
    ready: asyncio.Future[DevState] = asyncio.get_running_loop().create_future()
    dev = asyncio.create_task(run_dev(wanted, ready.set_result))
    either: list[asyncio.Future[Any]] = [dev, ready]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if dev.done():
        await dev
    try:
        yield await ready, dev
    finally:
        if not dev.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await dev


@asynccontextmanager
async def dev_process(data_dir: Path, kind: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run it in a process of its own; killed on leaving, should it still be there."""
    starting()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(data_dir), kind, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    """Run it: DATA_DIR plain|stubborn|never-ready."""
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "stubborn": {"worker": STUBBORN_WORKER},
        "never-ready": {"api": NEVER_READY_API},
    }
    sys.exit(asyncio.run(run_dev(options(Path(sys.argv[1]), **kinds[sys.argv[2]]))))


if __name__ == "__main__":
    main()
