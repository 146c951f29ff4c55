"""Thousands of requests by strangers for what a tenant has: they learn nothing, and change nothing.

Each is drawn from the OpenAPI document, and sent with the credentials of another tenant or with
such that prove nobody. Where the credentials hold, the same request for what nobody has must get
the same answer: then the first one has told nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from starlette.types import ASGIApp
from temporalio.client import Client

from relayline.api.app import create_app
from relayline.api.auth.bearer import is_open
from relayline.api.openapi import COMMITTED
from relayline.api.services import Services
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.auth.hostile.credentials import Credential, of_nobody, of_others
from tests.api.auth.hostile.direct import Answer, Request, asked
from tests.api.auth.hostile.tries import Draws
from tests.api.auth.hostile.victim import Victim, everything, victim
from tests.api.auth.keyed import SECRET
from tests.api.auth.oidc.issuer import AUDIENCE, Issuer, running_issuer
from tests.api.serving import CATALOG, Api

DOCUMENT: dict[str, Any] = json.loads(COMMITTED.read_text())
REFUSALS = {400, 401, 403, 404, 405, 413, 415, 422}
"""What whoever names something of another tenant may be told: not 409 or 410, nor that it is."""
AUTH, AUDIT = "/v1/auth", "/v1/audit"


@dataclass(frozen=True)
class Stage:
    """Who is on it."""

    app: ASGIApp
    api: Api
    victim: Victim
    holding: Sequence[Credential]
    others: Sequence[Credential]


@pytest.fixture(scope="module")
def provider() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture(scope="module")
async def stage(
    api_temporal: Client, provider: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """A journal of its own: nobody else's tests have tenants in it."""
    folder = tmp_path_factory.mktemp("strangers")
    journal = SqliteJournal(folder / "journal.db")
    settings = Settings(
        auth="keys,oidc",
        secret=SECRET,
        key_environment="test",
        webhook_loopback=True,
        oidc_issuer=provider.url,
        oidc_audience=AUDIENCE,
        data_dir=folder,
    )
    app = create_app(settings, journal, api_temporal, CATALOG)
    services: Services = app.state.services
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        api = Api(http, services, journal, "127.0.0.1", 0)
        of = await victim(api)
        holding = await of_others(of, journal, provider)
        yield Stage(app, api, of, holding, await of_nobody(of, journal, provider))
        for schedule in of.ids["schedule_id"]:
            await http.delete(f"/v1/schedules/{schedule}", headers=of.headers)
    await services.close_streams()
    await services.close()
    await journal.close()


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(2_000, marks=pytest.mark.slow),
        pytest.param(100_000, marks=[pytest.mark.soak, pytest.mark.timeout(3_000)]),
    ],
)
async def test_strangers_learn_nothing_and_change_nothing(
    stage: Stage, pytestconfig: pytest.Config, count: int
) -> None:
    before = await everything(stage.api, stage.victim)
    told: set[bytes] = set()
    statuses: Counter[int] = Counter()
    draws = Draws(int(pytestconfig.getoption("hypothesis_seed")), DOCUMENT, stage.victim)
    for credential, request in draws.tries(count, stage.holding, stage.others):
        if credential.of_victim and request.path == AUTH:
            continue  # it may say whose it is
        answer = await asked(stage.app, request)
        statuses[answer.status] += 1
        assert not (found := leaked(stage.victim, request, answer)), f"{found}: {request}"
        if credential.holds:
            await check_twin(stage, draws, request, answer)
        elif not is_open(unquote(request.path)):
            assert is_refused(credential, request, answer), f"{credential.kind}: {request} {answer}"
            told.add(answer.body)
        elif request.path == AUTH and answer.status == 200:
            assert json.loads(answer.body)["principal"] is None, f"{credential.kind}: {request}"
    assert len(told) <= 6, "a refusal tells why"  # where a credential must stand is told
    assert min(statuses[status] for status in (200, 401, 403, 404)) > count / 200
    assert await everything(stage.api, stage.victim) == before


async def test_the_words_that_are_looked_for_are_the_victims(stage: Stage) -> None:
    seen = json.dumps(await everything(stage.api, stage.victim))
    assert sum(word in seen for word in stage.victim.words) >= 7  # runs of a batch have not begun


async def check_twin(stage: Stage, draws: Draws, request: Request, answer: Answer) -> None:
    """The same request for what nobody has gets the same answer."""
    twin, instead = draws.twin(request)
    if not instead:
        assert answer.status < 500, f"{request} got {answer}"
        return
    other = await asked(stage.app, twin)
    first, second = alike(answer, instead.keys()), alike(other, instead.values())
    assert first == second, f"{request} got {answer}, and {twin} got {other}"
    if any(name in request.path for name in instead):
        assert answer.status in REFUSALS, f"{request} got {answer}"


def alike(answer: Answer, ids: Collection[str]) -> tuple[int, list[str], str]:
    """The answer without the ids that its request had; of a success, without its body."""
    body = "" if answer.status < 300 else answer.body.decode()
    for one in ids:
        body = body.replace(one, "ID")
    return answer.status, [name for name, _ in answer.headers], body


def leaked(of: Victim, request: Request, answer: Answer) -> list[str]:
    """What an answer has of the victim's that its request had not.

    A tenant's own audit log names what it has asked for before.
    """
    searched = of.words if request.path == AUDIT else of.words | of.names()
    text = answer.text
    return [it for it in searched if it in text and not request.has(it)]


def is_refused(credential: Credential, request: Request, answer: Answer) -> bool:
    """True for the answer to somebody who has proved nothing."""
    if answer.status != (403 if credential.names_no_tenant else 401):
        return False
    headers = dict(answer.headers)
    if headers["content-type"] != "application/problem+json":
        return False
    if request.method == "HEAD":
        return not answer.body
    members = {"type", "title", "status", "detail"}
    return {*json.loads(answer.body)} == members and (
        answer.status == 403 or headers["www-authenticate"] == "Bearer"
    )
