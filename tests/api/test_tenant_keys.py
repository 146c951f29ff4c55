"""The API and tenants with keys: it reads them like others, and says why where it can't."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Storage
from relayline.runtime.payloads.ring import NO_KEYS, KeyRing
from relayline.runtime.settings import Settings
from tests.api.serving import SSE, Api, completed, run_id, said, serving, started
from tests.journal.rows import keyed, queued
from tests.journal.tenants.keeping import FIRST, row, with_key

RUN = {"agent": "assistant", "input": "hello", "metadata": {"tenant": "acme"}}


@asynccontextmanager
async def api_on(file: Path, client: Client, ring: KeyRing = FIRST) -> AsyncIterator[Api]:
    journal = SqliteJournal(file, ring)
    try:
        async with serving(Settings(), journal, client) as served:
            yield served
    finally:
        await journal.close()


@pytest.fixture
async def acmes(tmp_path: Path, no_temporal: Client) -> AsyncIterator[Api]:
    """An API whose tenant `acme` has a key."""
    async with api_on(tmp_path / "journal.db", no_temporal) as api:
        await with_key(api.journal)
        yield api


async def ended(journal: Storage, **fields: Any) -> str:
    run, told = run_id(), queued(tenant="acme", title="a plan", metadata={"user": "ann"}, **fields)
    await journal.append(run, [*keyed(told), started(), said("hello"), completed("all said")])
    return run


async def test_every_view_of_a_sealed_run_has_what_was_said(acmes: Api) -> None:
    run = await ended(acmes.journal)
    view = (await acmes.http.get(f"/v1/runs/{run}")).json()
    assert (view["status"], view["output"], view["metadata"]) == (
        "completed",
        "all said",
        {"user": "ann"},
    )
    page = (await acmes.http.get(f"/v1/runs/{run}/events")).json()
    assert [event["data"].get("text") for event in page["events"]][2] == "hello"
    stream = await acmes.http.get(f"/v1/runs/{run}/events", headers=SSE)
    assert "all said" in stream.text
    assert '"k"' not in stream.text
    for query, found in (
        ({"metadata.user": "ann"}, [run]),
        ({"metadata.user": "bob"}, []),
        ({"q": "plan"}, []),
        ({"q": run[:9]}, [run]),
    ):
        listed = (await acmes.http.get("/v1/runs", params=query)).json()["runs"]
        assert [it["run_id"] for it in listed] == found
        assert all(it["title"] == "a plan" for it in listed)


async def test_nothing_is_accepted_for_a_tenant_that_is_being_erased(
    acmes: Api,
) -> None:
    await ended(acmes.journal)
    await acmes.journal.tenant_keys.begin_erasing("acme", row())
    schedule = {"run": RUN, "cron": "0 0 1 1 *"}
    for path, body in (
        ("/v1/runs", RUN),
        ("/v1/batches", {"runs": [RUN]}),
        ("/v1/schedules", schedule),
    ):
        answer = await acmes.http.post(path, json=body)
        assert answer.status_code == 410, answer.text
        problem = answer.json()
        assert problem["type"] == "urn:relayline:problem:tenant-erased"
        assert problem["tenant"] == "acme"
        assert "key of tenant 'acme' was erased" in problem["detail"]


async def test_a_process_without_the_key_says_which_one_it_lacks(
    acmes: Api, tmp_path: Path, no_temporal: Client
) -> None:
    run = await ended(acmes.journal)
    async with api_on(tmp_path / "journal.db", no_temporal, NO_KEYS) as lacking:
        for path in (f"/v1/runs/{run}", f"/v1/runs/{run}/events", "/v1/runs"):
            answer = await lacking.http.get(path)
            assert answer.status_code == 503, path
            assert answer.headers["retry-after"]
            problem = answer.json()
            assert problem["type"] == "urn:relayline:problem:payload-unreadable"
            assert "'first', which this process lacks" in problem["detail"]
    assert (await acmes.http.get(f"/v1/runs/{run}")).status_code == 200


async def test_others_are_submitted_while_one_tenant_is_erased(
    tmp_path: Path, api_temporal: Client
) -> None:
    async with api_on(tmp_path / "journal.db", api_temporal) as api:
        await with_key(api.journal)
        await api.journal.tenant_keys.begin_erasing("acme", row())
        answer = await api.http.post("/v1/runs", json=RUN | {"metadata": {"tenant": "beta"}})
        assert answer.status_code == 202, answer.text
