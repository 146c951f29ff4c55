"""What docker-compose.yml starts works together, outside Docker: see `Stand` for what differs."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus

from relayline.contracts.runs import SEARCH_AGENT, SEARCH_STATUS, SEARCH_TENANT
from tests.deploy.files import ROOT, environment
from tests.deploy.stand import SERVICES, Replica, Stand
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.timeout(120)
SCRIPT = [
    {"tokens": 20, "every_ms": 5},
    {"call": "calculate", "arguments": {"expression": "6*7"}},
    {"say": "done"},
]
REQUEST = {"agent": "assistant", "input": json.dumps({"rehearse": SCRIPT})}
DEPLOY = (ROOT / "docs" / "operate" / "deploy.md").read_text()
DOCKER = """#!/bin/sh
case "$2" in
    run) while [ "$1" != temporal-namespace ]; do shift; done; shift; exec temporal "$@" ;;
    up) touch started ;;
esac
"""
"""Stands in for the one that starts containers: what they would run, it runs here."""
NAMESPACE = environment(SERVICES["temporal-namespace"])["TEMPORAL_NAMESPACE"]


@pytest.fixture(scope="module")
async def stand(temporal: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    """The databases and the namespace are there; nothing of ours runs yet."""
    with PostgresServer() as postgres:
        address = temporal.service_client.config.target_host
        made = Stand(tmp_path_factory.mktemp("deploy"), postgres, address)
        try:
            await made.healthy("postgres")
            await made.make_databases("postgres", await made.make_superuser())
            await made.one_shot("temporal-namespace")
            yield made
        finally:
            await made.close()


async def test_the_namespace_job_may_run_again_and_leaves_what_runs_need(
    stand: Stand, temporal: Client
) -> None:
    await asyncio.gather(*(stand.one_shot("temporal-namespace") for _ in range(2)))
    found = await temporal.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=NAMESPACE)
    )
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    for name in (SEARCH_STATUS, SEARCH_AGENT, SEARCH_TENANT):
        assert found.custom_attributes[name] == keyword
    described = await temporal.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=NAMESPACE)
    )
    assert described.config.workflow_execution_retention_ttl.seconds == 7 * 86_400


async def test_a_run_goes_through_two_api_processes_and_two_workers_and_all_stop(
    stand: Stand,
) -> None:
    await asyncio.gather(*(stand.one_shot("migrate") for _ in range(2)))
    key = await stand.first_key()
    assert await stand.first_key() == key, "the next start makes no other"
    for file in (stand.volume("first-key") / "key", stand.volume("secrets") / "secret"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    apis = [await stand.start("api") for _ in range(int(SERVICES["api"]["deploy"]["replicas"]))]
    workers = [
        await stand.start("worker") for _ in range(int(SERVICES["worker"]["deploy"]["replicas"]))
    ]
    for replica in (*apis, *workers):
        await stand.healthy(replica.service, replica.env)
    async with httpx.AsyncClient(base_url=apis[0].url, timeout=30) as http:
        assert (await http.post("/v1/runs", json=REQUEST)).status_code == 401
    runs = [await submitted(api, key) for api in apis]
    for run_id in runs:
        journals = [await ended(api, run_id, key) for api in apis]
        assert journals[0] == journals[1]
        assert journals[0][-1]["type"] == "run.completed"
    assert [await replica.stop() for replica in (*workers, *apis)] == [0, 0, 0, 0]


async def test_no_worker_starts_before_the_runs_that_an_old_journal_lacks_have_ended(
    stand: Stand, tmp_path: Path
) -> None:
    client = await Client.connect(stand.temporal, namespace=NAMESPACE)
    runs = await asyncio.gather(
        *(
            client.start_workflow("AgentRun", id=f"restored-{n}", task_queue="nobody-is-here")
            for n in range(100)
        )
    )
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    [script] = re.findall(r"^```sh\n(open=.*?)^```", DEPLOY, re.DOTALL | re.MULTILINE)
    await stand.shell(script, programs=tmp_path)
    assert (stand.folder / "started").exists()
    found = await asyncio.gather(*(run.describe() for run in runs))
    assert {one.status for one in found} == {WorkflowExecutionStatus.TERMINATED}


def client(api: Replica, key: str) -> httpx.AsyncClient:
    """Of this API process, with that key."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=api.url, timeout=40, headers=headers)


async def submitted(api: Replica, key: str) -> str:
    """A run that this API process took in."""
    async with client(api, key) as http:
        answer = await http.post("/v1/runs", json=REQUEST)
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["run_id"]
        return run_id


async def ended(api: Replica, run_id: str, key: str) -> list[dict[str, object]]:
    """The run's events, from this API process, once it has ended."""
    async with client(api, key) as http:
        view = (await http.get(f"/v1/runs/{run_id}", params={"wait": 30})).json()
        assert view["status"] == "completed", view
        page = (await http.get(f"/v1/runs/{run_id}/events", params={"limit": 1000})).json()
        assert page["ended"]
        events: list[dict[str, object]] = page["events"]
        return events
