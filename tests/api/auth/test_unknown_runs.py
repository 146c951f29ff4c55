"""A run of another tenant is answered like one that nobody has, whatever else is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.auth.keyed import bearer, new_key, refused, submitted
from tests.api.serving import Api, run_id

RUN = {"agent": "assistant", "input": "hello"}


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("POST", "redirect", {"content": b"{}"}),
        ("POST", "redirect", {"json": {}}),
        ("POST", "approvals/approval_1_0", {"json": {"decision": "perhaps"}}),
        ("GET", "events?after=x", {}),
        ("GET", "events?limit=-1", {}),
        ("POST", "cancel", {"headers": {"Idempotency-Key": "x" * 256}}),
    ],
)
async def test_a_bad_request_does_not_tell_whether_a_run_is_there(
    keyed_api: Api, method: str, path: str, more: dict[str, Any]
) -> None:
    theirs = await submitted(keyed_api, await new_key(keyed_api.journal, "t-has"))
    headers = bearer(await new_key(keyed_api.journal, "t-asks")) | more.pop("headers", {})
    for run in (theirs, run_id()):
        url = f"/v1/runs/{run}/{path}"
        answer = await keyed_api.http.request(method, url, headers=headers, **more)
        assert refused(answer) == (404, "unknown-run"), answer.text


async def test_a_run_of_a_batch_is_its_tenants_before_its_turn_comes(keyed_api: Api) -> None:
    owner = bearer(await new_key(keyed_api.journal, "t-has"))
    other = bearer(await new_key(keyed_api.journal, "t-asks"))
    batch = await keyed_api.http.post("/v1/batches", json={"runs": [RUN]}, headers=owner)
    [accepted] = batch.json()["accepted"]
    url = f"/v1/runs/{accepted['run_id']}/pause"
    answer = await keyed_api.http.post(url, json={}, headers=other)
    assert refused(answer) == (404, "unknown-run")
    assert (await keyed_api.http.post(url, json={}, headers=owner)).status_code == 202
