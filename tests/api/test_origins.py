"""Web pages of other sites find the door closed, under whatever name and from whatever origin."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from relayline.api.app import serve
from relayline.dev.ports import free_port
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.setting_groups.access_settings import BEHIND_PROXY
from relayline.runtime.settings import BadSettings, Settings, load_settings
from tests.api.raw import ask, head
from tests.api.serving import Api, serving

FRIEND = "https://app.example.com"


@pytest.fixture(scope="module")
async def guarded(no_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """An API with a name of its own and one origin that may use it."""
    settings = Settings(
        api_host="10.9.8.7",
        allowed_hosts=("agents.example.com", "*.internal"),
        allowed_origins=(FRIEND,),
    )
    async with serving(settings, journal, no_temporal) as served:
        yield served


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "127.0.0.1:8000",
        "[::1]:8000",
        "agents.example.com",
        "a.b.internal:80",
        "10.9.8.7:8000",
    ],
)
async def test_our_own_names_are_answered(guarded: Api, host: str) -> None:
    assert (await ask(guarded, head("GET", "/v1/agents", host=host))).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "internal",
        "evilinternal",
        "agents.example.com.evil.example",
        "10.9.8.6",
        "0.0.0.0",  # noqa: S104
        "[::2]",
    ],
)
@pytest.mark.parametrize("path", ["/v1/agents", "/docs", "/openapi.json", "/no/such/path"])
async def test_a_foreign_host_is_refused_everywhere(guarded: Api, host: str, path: str) -> None:
    answer = await ask(guarded, head("GET", path, host=host))
    assert (answer.status, answer.problem) == (403, "foreign-host")


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
async def test_probes_come_by_whatever_address_they_know(guarded: Api, path: str) -> None:
    assert (await ask(guarded, head("GET", path, host="10.1.2.3:8000"))).status == 200


@pytest.mark.parametrize(
    "fields", [("Host: localhost", "Host: localhost"), (), ("Host:",), ("Host: a b",)]
)
async def test_one_host_is_needed(guarded: Api, fields: tuple[str, ...]) -> None:
    answer = await ask(guarded, head("GET", "/v1/agents", *fields, host=""))
    assert (answer.status, answer.problem) == (400, "bad-request")


async def test_a_host_in_the_request_line_is_the_one_that_counts(guarded: Api) -> None:
    for ours, theirs, status in (
        ("localhost", "evil.example", 200),
        ("evil.example", "localhost", 403),
    ):
        answer = await ask(guarded, head("GET", f"http://{ours}/v1/agents", host=theirs))
        assert answer.status == status


async def test_http_1_0_needs_no_host_but_may_not_have_a_foreign_one(guarded: Api) -> None:
    assert (await ask(guarded, head("GET", "/v1/agents", version="1.0", host=""))).status == 200
    answer = await ask(guarded, head("GET", "/v1/agents", version="1.0", host="evil.example"))
    assert answer.problem == "foreign-host"


@pytest.mark.parametrize(
    "fields",
    [
        ("Origin: http://evil.example",),
        ("Origin: null",),
        ("Origin: http://localhost:1",),
        ("Origin: http://localhost.evil.example",),
        ("Origin: http://localhost", "Origin: http://evil.example"),
        ("Origin: https://app.example.com.evil.example",),
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: same-site",),
        ("Sec-Fetch-Site: Cross-Site",),
        ("Sec-Fetch-Site: none, cross-site",),
        ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"),
    ],
)
async def test_a_foreign_page_starts_nothing(guarded: Api, fields: tuple[str, ...]) -> None:
    body = b'{"agent": "assistant", "input": "run_command"}'
    length = f"Content-Length: {len(body)}"
    for kind in ("text/plain", "application/json"):
        sent = head("POST", "/v1/runs", *fields, length, f"Content-Type: {kind}") + body
        answer = await ask(guarded, sent)
        assert (answer.status, answer.problem) == (403, "foreign-origin")


async def test_a_foreign_page_reads_nothing_but_a_link_to_us_works(guarded: Api) -> None:
    refused = await ask(guarded, head("GET", "/v1/agents", "Origin: http://evil.example"))
    assert refused.problem == "foreign-origin"
    for method in ("GET", "HEAD"):
        link = await ask(guarded, head(method, "/v1/agents", "Sec-Fetch-Site: cross-site"))
        assert link.status == 200
        assert "access-control-allow-origin" not in link.headers


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("agents.example.com", "https://agents.example.com"),
        ("agents.example.com:443", "https://agents.example.com"),
        ("localhost", "http://localhost:80"),
    ],
)
async def test_our_own_page_may_do_everything(guarded: Api, host: str, origin: str) -> None:
    fields = (f"Origin: {origin}", "Sec-Fetch-Site: same-origin", "Content-Length: 0")
    answer = await ask(guarded, head("POST", "/v1/runs", *fields, host=host))
    assert answer.problem == "invalid-field"


async def test_a_listed_origin_may_ask_and_no_other_is_told_so(guarded: Api) -> None:
    asked = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-any")
    preflight = await ask(guarded, head("OPTIONS", "/v1/runs", f"Origin: {FRIEND}", *asked))
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == FRIEND
    fields = (f"Origin: {FRIEND}", "Sec-Fetch-Site: cross-site")
    answer = await ask(guarded, head("GET", "/v1/agents", *fields))
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "access-control-allow-credentials" not in answer.headers
    refused = await ask(guarded, head("OPTIONS", "/v1/runs", "Origin: https://x.example", *asked))
    assert refused.problem == "foreign-origin"
    assert not [name for name in refused.headers if name.startswith("access-control")]


async def test_without_a_list_no_header_says_that_others_may(lonely_api: Api) -> None:
    own = f"{lonely_api.host}:{lonely_api.port}"
    for fields in ((), (f"Origin: http://{own}",)):
        answer = await ask(lonely_api, head("GET", "/v1/agents", *fields, host=own))
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "agents.example.com:8000"),
        ("ALLOWED_HOSTS", "http://agents.example.com"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://app.example.com/"),
        ("ALLOWED_ORIGINS", "app.example.com"),
    ],
)
def test_a_list_that_can_mean_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"RELAYLINE_{name}", value)
    with pytest.raises(BadSettings, match=f"RELAYLINE_{name}.*is not of the form"):
        load_settings()


async def answers(port: int) -> bool:
    try:
        async with httpx.AsyncClient() as http:
            return (await http.get(f"http://127.0.0.1:{port}/healthz")).is_success
    except httpx.ConnectError:
        return False


@pytest.mark.parametrize(
    ("chosen", "warned"),
    [
        ({"api_host": "0.0.0.0", "auth": BEHIND_PROXY}, 1),  # noqa: S104
        ({"api_host": "0.0.0.0", "auth": BEHIND_PROXY, "allowed_hosts": ("a.example",)}, 0),  # noqa: S104
        ({"api_host": "127.0.0.1"}, 0),
    ],
)
async def test_the_start_warns_where_no_name_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    chosen: dict[str, Any],
    warned: int,
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    settings = Settings(api_port=free_port(), data_dir=tmp_path, **chosen)
    with caplog.at_level(logging.INFO):
        serving = asyncio.create_task(serve(settings))
        while not await answers(settings.api_port):
            await asyncio.sleep(0.02)
        signal.raise_signal(signal.SIGTERM)  # whoever answers has installed its handler
        await serving
    assert caplog.text.count("RELAYLINE_ALLOWED_HOSTS") == warned
