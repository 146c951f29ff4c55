"""A stack whose Temporal pushes no cancellations, and whose worker comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.stack import NotStarted, answering, process, settings
from relayline.dev.options import DevError
from relayline.dev.ports import free_port
from relayline.dev.temporal_server import find_binary, server_command, wait_until_up

_PUSH = ("frontend.WorkerCommandsEnabled", "system.enableCancelActivityWorkerCommand")


class NoPush(NamedTuple):
    """Temporal and the API, without a worker."""

    runs: str
    """Where runs are submitted."""
    data_dir: Path
    environment: dict[str, str]
    """Of a worker."""

    def worker(self) -> contextlib.AbstractAsyncContextManager[asyncio.subprocess.Process]:
        """A worker, until the block ends."""
        command = (sys.executable, "-P", "-m", "relayline.worker")
        return process(*command, log=self.data_dir / "worker.log", env=self.environment)


@contextlib.asynccontextmanager
async def no_push(data_dir: Path, provider: str) -> AsyncIterator[NoPush]:
    """Temporal with push switched off and an API that uses it, until the block ends.

    Args:
        data_dir: Of all its processes; is there.
        provider: Base URL of the timed model provider.

    Raises:
        NotStarted: something did not come up.
    """
    temporal, ui, api = (free_port() for _ in range(3))
    address = f"127.0.0.1:{temporal}"
    environment = {
        **settings(provider),
        "TEMPORAL_ADDRESS": address,
        "RELAYLINE_DATA_DIR": str(data_dir),
        "RELAYLINE_API_PORT": str(api),
        "RELAYLINE_DRAIN_S": "1",
    }
    log = data_dir / "api.log"
    async with (
        process(*_server(temporal, ui, data_dir), log=data_dir / "temporal.log") as server,
        process(sys.executable, "-P", "-m", "relayline.api.app", log=log, env=environment) as child,
    ):
        await _up(address, server)
        await answering(f"http://127.0.0.1:{api}/readyz", child, log)
        yield NoPush(f"http://127.0.0.1:{api}/v1/runs", data_dir, environment)


def _server(port: int, ui_port: int, data_dir: Path) -> tuple[str, ...]:
    """As `relayline dev` starts it, but for the push; of two values for one key the last counts."""
    database = data_dir / "temporal.db"
    command = server_command(find_binary(), port=port, ui_port=ui_port, database=database)
    off = [flag for key in _PUSH for flag in ("--dynamic-config-value", f"{key}=false")]
    return (*command, *off)


async def _up(address: str, server: asyncio.subprocess.Process) -> None:
    def check() -> None:
        if server.returncode is not None:
            raise DevError(f"Temporal ended with {server.returncode}")

    try:
        await wait_until_up(address, check)
    except DevError as error:
        raise NotStarted(str(error)) from error
