"""A repeated key finds its run after the secret was rotated, and after authentication was on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.api.runs.schedules import ScheduledSubmission
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.principals import Principal, Scope
from relayline.contracts.runs import RunInput
from relayline.contracts.submissions.schedules import SubmitCall
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.auth.keyed import SECRET, bearer, issued, keyed, refused
from tests.api.serving import CATALOG, Api, completed, serving, started
from tests.api.signing.test_ids import ids

GOOD: dict[str, Any] = {"agent": "assistant", "input": "hello"}
NEW = "two:" + "n" * 40
ANN = Principal("ann", "blue", frozenset(Scope), "key")


@pytest.fixture(scope="module")
async def rotated(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """The API after the rotation."""
    settings = keyed().model_copy(update={"secret": f"{NEW},{SECRET}"})
    async with serving(settings, journal, api_temporal) as served:
        yield served


@pytest.fixture(scope="module")
async def blue(journal: SqliteJournal) -> dict[str, str]:
    return bearer(await issued(journal))


async def posted(
    api: Api, headers: dict[str, str], key: str, body: dict[str, Any] = GOOD, path: str = "runs"
) -> tuple[int, str]:
    """The status, and the id of the run or batch."""
    named = headers | {"Idempotency-Key": key}
    answer = await api.http.post(f"/v1/{path}", json=body, headers=named)
    found: str = answer.json().get("run_id") or answer.json().get("batch_id") or answer.text
    return answer.status_code, found


async def test_a_key_finds_its_run_and_its_batch_after_a_rotation(
    keyed_api: Api, rotated: Api, blue: dict[str, str]
) -> None:
    key, batch = uuid4().hex, {"runs": [GOOD, GOOD]}
    _, run = await posted(keyed_api, blue, key)
    _, stored = await posted(keyed_api, blue, key, batch, "batches")
    assert (run, stored) == (ids(SECRET).run(key, ANN), ids(SECRET).batch(key, ANN))
    for api in (rotated, keyed_api):
        assert await posted(api, blue, key) == (200, run)
        assert await posted(api, blue, key, batch, "batches") == (200, stored)
    assert await posted(rotated, blue, key, {**GOOD, "input": "other"}) == (422, run)
    other = {"runs": [GOOD]}
    assert await posted(rotated, blue, key, other, "batches") == (422, stored)
    fresh = uuid4().hex
    assert await posted(rotated, blue, fresh) == (202, ids(NEW).run(fresh, ANN))


async def test_many_at_once_find_the_one_run(
    keyed_api: Api, rotated: Api, blue: dict[str, str]
) -> None:
    key = uuid4().hex
    _, run = await posted(keyed_api, blue, key)
    again = await asyncio.gather(*(posted(rotated, blue, key) for _ in range(20)))
    assert {*again} == {(200, run)}


async def test_a_run_that_only_temporal_has_is_found(
    rotated: Api, blue: dict[str, str], journal: SqliteJournal, api_temporal: Client
) -> None:
    key = uuid4().hex
    run_id = ids(SECRET).run(key, ANN)
    run = RunInput(run_id=run_id, agent=CATALOG.agents["assistant"], input="other", tenant="blue")
    await Gateway(api_temporal).start(run, datetime.now(UTC))
    assert await journal.head(EVERY, run_id) is None
    assert await posted(rotated, blue, key) == (422, run_id)


async def test_an_erased_run_does_not_run_again(
    keyed_api: Api, rotated: Api, blue: dict[str, str]
) -> None:
    key = uuid4().hex
    _, run = await posted(keyed_api, blue, key)
    await keyed_api.journal.append(run, [started(), completed()])
    gone = await keyed_api.http.delete(f"/v1/runs/{run}", headers=blue)
    assert gone.status_code == 204, gone.text
    headers = blue | {"Idempotency-Key": key}
    answer = await rotated.http.post("/v1/runs", json=GOOD, headers=headers)
    assert refused(answer) == (410, "run-erased")


async def test_keys_of_the_time_before_authentication_find_the_tenants_own_runs(
    api: Api, keyed_api: Api, blue: dict[str, str]
) -> None:
    key, body = uuid4().hex, {**GOOD, "metadata": {"tenant": "blue"}}
    _, run = await posted(api, {}, key, body)
    _, stored = await posted(api, {}, key, {"runs": [body]}, "batches")
    assert await posted(keyed_api, blue, key, body) == (200, run)
    assert await posted(keyed_api, blue, key, {"runs": [body]}, "batches") == (200, stored)
    red = bearer(await issued(keyed_api.journal, "red"))
    assert (await posted(keyed_api, red, key))[0] == 202, "it is another tenant's key"
    assert (await posted(keyed_api, red, key, {"runs": [GOOD]}, "batches"))[0] == 202


async def test_a_time_of_a_schedule_is_submitted_once_whatever_the_secret(
    api: Api, keyed_api: Api, rotated: Api
) -> None:
    call = SubmitCall(action_id=f"schedule-{uuid4().hex}-1", run=GOOD, tenant="blue", by="ann")
    found = []
    for each, secrets in ((keyed_api, SECRET), (rotated, f"{NEW},{SECRET}")):
        scheduled = ScheduledSubmission(each.services.submission, ids(secrets))
        found.append((await scheduled.submit(call)).run_id)
    assert found[0] == found[1]
    listed = await api.journal.listed(EVERY, found[0])
    assert listed is not None
    assert listed.row.tenant == "blue"
    [queued] = await api.journal.read(EVERY, found[0], 0, 1)
    assert json.loads(queued.data)["by"] == "ann"
