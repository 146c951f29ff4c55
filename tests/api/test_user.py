"""For whom a run works: what its request says, else who submits it."""

from __future__ import annotations

from typing import Any

import pytest

from relayline.contracts.events import RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.journal.table import EVERY
from tests.api.serving import Api
from tests.api.test_runs import submitted


async def told(api: Api, run_id: str) -> RunQueued:
    stored = await api.journal.get(EVERY, run_id, QUEUED_KEY)
    body = stored.body() if stored else None
    assert isinstance(body, RunQueued)
    return body


async def test_a_run_tells_for_whom_it_works(api: Api) -> None:
    run_id = await submitted(api, user="ann@example.com")
    assert (await told(api, run_id)).user == "ann@example.com"
    view = (await api.http.get(f"/v1/runs/{run_id}")).json()
    assert view["user"] == "ann@example.com"
    listed = await api.journal.listed("default", run_id)
    assert listed
    assert listed.row.user == "ann@example.com"


async def test_without_credentials_and_without_a_name_it_is_nobody(api: Api) -> None:
    run_id = await submitted(api)
    assert (await told(api, run_id)).user == ""
    assert (await api.http.get(f"/v1/runs/{run_id}")).json()["user"] is None


@pytest.mark.parametrize("user", ["", "x" * 201, "two\nlines", 7])
async def test_a_name_that_can_not_be_is_refused(api: Api, user: Any) -> None:
    body = {"agent": "assistant", "input": "hello", "user": user}
    answer = await api.http.post("/v1/runs", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "user"), answer.text


async def test_the_same_key_with_another_user_is_another_request(api: Api) -> None:
    body = {"agent": "assistant", "input": "hello", "user": "ann"}
    headers = {"Idempotency-Key": "for-ann"}
    assert (await api.http.post("/v1/runs", json=body, headers=headers)).status_code == 202
    other = await api.http.post("/v1/runs", json=body | {"user": "bob"}, headers=headers)
    assert other.json()["type"].endswith("idempotency-key-reused"), other.text
