"""Where a tenant wants four eyes, who has submitted a run does not approve in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from tests.api.asking import APPROVAL, asks
from tests.api.auth.keyed import bearer, issued, keyed, refused
from tests.api.serving import Api, serving, started

GOOD: dict[str, Any] = {"agent": "assistant", "input": "hello"}
STRICT = f"strict-{uuid4().hex[:8]}"


@pytest.fixture(scope="module", params=[f"other,{STRICT}", "all"], ids=["named", "all"])
async def strict(
    request: pytest.FixtureRequest, api_temporal: Client, journal: SqliteJournal
) -> AsyncIterator[Api]:
    async with serving(keyed(four_eyes=request.param), journal, api_temporal) as served:
        yield served


async def person(api: Api, name: str, tenant: str = STRICT) -> dict[str, str]:
    return bearer(await issued(api.journal, tenant, name=name))


async def asking(api: Api, headers: dict[str, str], path: str = "/v1/runs") -> str:
    """A run that waits for an approval, submitted by itself or with a batch."""
    body = {"runs": [GOOD]} if path == "/v1/batches" else GOOD
    made = await api.http.post(path, json=body, headers=headers)
    assert made.status_code == 202, made.text
    it = made.json()
    run: str = it["accepted"][0]["run_id"] if "accepted" in it else it["run_id"]
    await api.journal.append(run, [started(), *asks()])
    return run


async def decided(
    api: Api, headers: dict[str, str], run: str, decision: str = "approve", **fields: Any
) -> httpx.Response:
    body = {"decision": decision, **fields}
    return await api.http.post(f"/v1/runs/{run}/approvals/{APPROVAL}", json=body, headers=headers)


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/batches"])
async def test_the_submitter_may_deny_and_others_may_approve(strict: Api, path: str) -> None:
    ann, bob = await person(strict, "ann"), await person(strict, "bob")
    run = await asking(strict, ann, path)
    for fields in ({}, {"by": "bob"}, {"arguments": {"path": "b"}}, {"command_id": uuid4().hex}):
        answer = await decided(strict, ann, run, **fields)
        assert refused(answer) == (403, "submitter-may-not-approve")
        assert answer.json()["run_id"] == run
    again = await person(strict, "ann")  # another key of the same name
    assert refused(await decided(strict, again, run))[0] == 403
    assert (await decided(strict, ann, run, "deny")).status_code == 202
    assert (await decided(strict, bob, run)).status_code == 202


async def test_other_tenants_are_asked_for_nothing(keyed_api: Api, strict: Api) -> None:
    ann = await person(keyed_api, "ann")
    assert (await decided(keyed_api, ann, await asking(keyed_api, ann))).status_code == 202
    elsewhere = await person(strict, "ann", "elsewhere")
    answer = await decided(strict, elsewhere, await asking(strict, elsewhere))
    names_all = "all" in strict.services.access.four_eyes._tenants  # noqa: SLF001
    assert answer.status_code == (403 if names_all else 202)
