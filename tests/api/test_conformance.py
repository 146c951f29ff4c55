"""Requests drawn from the OpenAPI document: no answer is one that the document does not have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from temporalio.client import Client

from relayline.api.openapi import COMMITTED
from relayline.journal.sqlite.journal import SqliteJournal
from tests.api.auth.keyed import bearer, issued, keyed
from tests.api.auth.test_tenants_apart import belongings
from tests.api.serving import Api, serving

pytestmark = pytest.mark.slow
ENDLESS = "/v1/live"
"""A stream that ends with its client only; tests/api/test_live.py has it."""
WAITING = {"/v1/runs/{run_id}/progress", "/v1/runs/{run_id}/answer"}
"""Ask a worker, which is not there, for seconds: a few requests must do."""
SCHEDULED = ("post", "/v1/schedules", 201)
SECONDS = 30


@dataclass(frozen=True)
class Served:
    """An API over HTTP, a key that may do everything, and what its tenant has."""

    api: Api
    headers: dict[str, str]
    has: dict[str, str]
    schedules: set[str]
    """Those that it has made: they must not run on behind other tests."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.api.host}:{self.api.port}"


@pytest.fixture(scope="module")
async def served(
    api_temporal: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    journal = SqliteJournal(tmp_path_factory.mktemp("conformance") / "journal.db")
    tenant = f"any-{uuid4().hex[:8]}"
    key, spare = await issued(journal, tenant), await issued(journal, tenant)
    headers = bearer(key)
    async with serving(keyed(webhook_loopback=True), journal, api_temporal) as api:
        has = await belongings(api, headers, tenant)
        more = {"key_id": spare.stored.key_id, "tenant": "another"}  # its own quotas stay
        made = Served(api, headers, has | more, {has["schedule_id"]})
        yield made
        for schedule in made.schedules:
            await api.http.delete(f"/v1/schedules/{schedule}", headers=headers)
    await journal.close()


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(5, id="some"),
        pytest.param(100, id="many", marks=[pytest.mark.soak, pytest.mark.timeout(3_000)]),
    ],
)
async def test_every_answer_is_one_that_the_document_has(served: Served, examples: int) -> None:
    from schemathesis.core.result import Ok  # noqa: PLC0415  takes a while to import
    from schemathesis.openapi import from_path  # noqa: PLC0415

    for found in from_path(COMMITTED).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path != ENDLESS:
            await asyncio.to_thread(partial(ask, served, operation, examples))


def ask(served: Served, operation: Any, examples: int) -> None:
    """Send that many requests to one operation, valid ones and others.

    Raises:
        FailureGroup: an answer is 5xx, or the document does not have it.
    """
    from schemathesis import GenerationMode  # noqa: PLC0415
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415
    from schemathesis.specs.openapi import checks  # noqa: PLC0415

    wanted = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    has_input = bool([*operation.iter_parameters()] or operation.body)
    most = 1 if not has_input else 3 if operation.path in WAITING else 1_000
    modes = [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if has_input else [])]
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
    with requests.Session() as session:

        @settings(
            max_examples=min(examples, most),
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        )
        @given(case=cases, known=st.booleans())
        def one(case: Any, known: bool) -> None:
            if known:
                use(served.has, case)
            answer = case.call(served.url, session, served.headers, timeout=SECONDS)
            if (operation.method, operation.path, answer.status_code) == SCHEDULED:
                served.schedules.add(answer.json()["schedule_id"])
            case.validate_response(answer, wanted)

        one()


def use(has: Mapping[str, str], case: Any) -> None:
    """Let the request name what there is, and not wait for it."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = has[name]
    if case.query and "wait" in case.query:
        case.query["wait"] = 0
    if isinstance(case.body, dict):
        for name, value in {"agent": "assistant", "run_id": has["run_id"]}.items():
            if name in case.body:
                case.body[name] = value
