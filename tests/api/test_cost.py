"""What a run costs: told with its usage, and held against `max_cost`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.activities.model.costs import budgets
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.access.quotas import Quotas
from relayline.contracts.submissions.batches import SUBMISSIONS_QUEUE
from relayline.contracts.submissions.schedules import SubmitRequest
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from relayline.worker import build_worker
from relayline.workflows.submissions.submit import Submit
from tests.api.serving import Api, envelopes, serving

SETTINGS = Settings(drain_s=0.1, prices="rehearsal=1000/2000")
CALL = {"call": "calculate", "arguments": {"expression": "6*7"}}


@pytest.fixture
async def priced(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """The API and a worker, for which the rehearsal has a price."""
    async with (
        serving(SETTINGS, journal, api_temporal) as api,
        aclosing(provider_for(ProviderConfig())) as providers,
        build_worker(api_temporal, journal, providers, SETTINGS),
    ):
        yield api


async def ran(api: Api, *items: object, **fields: object) -> dict[str, Any]:
    """The run of that script, once it has ended."""
    body = {"agent": "assistant", "input": json.dumps({"rehearse": items}), **fields}
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == 202, answer.text
    path = answer.json()["links"]["self"]
    view: dict[str, Any] = (await api.http.get(path, params={"wait": 60}, timeout=70)).json()
    return view


@pytest.mark.slow
async def test_the_cost_of_each_message_is_journaled_and_added_up(priced: Api) -> None:
    label = uuid4().hex
    view = await ran(priced, CALL, {"say": "it is 42"}, metadata={"label": label})
    run = str(view["run_id"])
    events = await envelopes(priced.journal, run)
    usages = [it["data"]["usage"] for it in events if it["type"] == "message.completed"]
    assert len(usages) == 2
    for usage in usages:
        tokens = 1000 * usage["input_tokens"] + 2000 * usage["output_tokens"]
        assert Decimal(usage["cost"]["amount"]) == Decimal(tokens) / 1_000_000
    amounts = (Decimal(usage["cost"]["amount"]) for usage in usages)
    total = str(sum(amounts, Decimal()).normalize())
    assert view["usage"]["cost"] == {"amount": total, "currency": "USD"}
    listed = await priced.http.get("/v1/runs", params={"metadata.label": label})
    assert listed.json()["runs"][0]["usage"] == view["usage"]
    counts = (await priced.http.get("/v1/runs/counts", params={"metadata.label": label})).json()
    told = {name: view["usage"][name] for name in ("input_tokens", "output_tokens", "cost")}
    assert counts["usage"] == told
    assert counts["usage_by_status"] == {"completed": told}


async def test_a_run_under_way_ends_when_its_tenant_has_used_up_its_day(
    priced: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "FRESH_S", 0.0)
    tenant = f"t-{uuid4().hex}"
    await priced.journal.quotas.set(tenant, Quotas(tokens_per_day=1), 1, "root")
    view = await ran(priced, CALL, {"say": "never"}, metadata={"tenant": tenant})
    assert (view["status"], view["error"]["type"]) == ("failed", "budget-exceeded")
    events = await envelopes(priced.journal, str(view["run_id"]))
    [told] = [it["data"] for it in events if it["type"] == "budget.exceeded"]
    assert (told["limit"], told["allowed"]) == ("tenant_tokens", 1)
    assert sum(it["type"] == "message.completed" for it in events) == 1


async def test_a_run_ends_when_it_has_cost_as_much_as_it_may(priced: Api) -> None:
    view = await ran(priced, CALL, CALL, CALL, {"say": "never"}, limits={"max_cost": 0.001})
    assert view["status"] == "failed"
    assert view["error"]["type"] == "budget-exceeded"
    assert str(view["error"]["message"]).startswith("max_cost=0.001 is used up")


async def test_a_limit_of_cost_needs_a_price(api: Api, priced: Api) -> None:
    body = {"agent": "assistant", "input": "hi", "model": "ollama:x", "limits": {"max_cost": 1}}
    for each in (api, priced):
        answer = await each.http.post("/v1/runs", json=body)
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["type"] == "urn:relayline:problem:unknown-price"
        assert problem["field"] == "limits.max_cost"
        assert "ollama:x" in problem["detail"]


async def test_a_schedule_submits_runs_with_a_limit_of_cost(
    priced: Api, api_temporal: Client
) -> None:
    run = {
        "agent": "assistant",
        "input": json.dumps({"rehearse": [{"say": "done"}]}),
        "limits": {"max_cost": 1},
    }
    result = await api_temporal.execute_workflow(
        Submit.run,
        SubmitRequest(schedule_id="x", run=run),
        id=f"schedule-{uuid4().hex}",
        task_queue=SUBMISSIONS_QUEUE,
    )
    assert result.problem is None
    started = (await envelopes(priced.journal, result.run_id))[0]
    assert started["type"] == "run.queued"
