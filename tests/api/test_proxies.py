"""Behind a proxy: who the client is, and who may say so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import BadSettings, Settings, load_settings
from tests.api.serving import SSE, run_id, serving, started

PROXY, STRANGER = "127.0.0.2", "127.0.0.1"
ANN, BOB, EVE = "203.0.113.1", "203.0.113.2", "203.0.113.3"


class Door:
    """An API that gives each client one stream, and connections from several addresses."""

    def __init__(self, url: str, path: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._path = path
        self._stack = stack

    async def open(self, peer: str, forwarded_for: str) -> int:
        """Open a stream and keep it; the status."""
        transport = httpx.AsyncHTTPTransport(local_address=peer)
        http = httpx.AsyncClient(base_url=self._url, transport=transport)
        await self._stack.enter_async_context(http)
        headers = {**SSE, "X-Forwarded-For": forwarded_for}
        stream = http.stream("GET", self._path, headers=headers)
        answer = await self._stack.enter_async_context(stream)
        return answer.status_code


@asynccontextmanager
async def door(client: Client, journal: SqliteJournal, trusted: str) -> AsyncIterator[Door]:
    run = run_id()
    await journal.append(run, [started()])
    settings = Settings(max_streams_per_client=1, forwarded_allow_ips=trusted)
    async with serving(settings, journal, client) as api, AsyncExitStack() as stack:
        yield Door(f"http://{api.host}:{api.port}", f"/v1/runs/{run}/events", stack)


@pytest.mark.parametrize("trusted", [PROXY, "10.0.0.0/8, 127.0.0.2/32"])
async def test_clients_behind_a_trusted_proxy_are_told_apart(
    api_temporal: Client, journal: SqliteJournal, trusted: str
) -> None:
    async with door(api_temporal, journal, trusted) as api:
        assert await api.open(PROXY, ANN) == 200
        assert await api.open(PROXY, BOB) == 200
        assert await api.open(PROXY, ANN) == 429
        # what a client writes itself stands before what the proxy adds
        assert await api.open(PROXY, f"{EVE}, {ANN}") == 429


@pytest.mark.parametrize("trusted", ["", PROXY])
async def test_nobody_else_is_believed(
    api_temporal: Client, journal: SqliteJournal, trusted: str
) -> None:
    async with door(api_temporal, journal, trusted) as api:
        assert await api.open(STRANGER, ANN) == 200
        assert await api.open(STRANGER, BOB) == 429


async def test_a_proxy_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYLINE_FORWARDED_ALLOW_IPS", "10.0.0.1,proxy")
    with pytest.raises(BadSettings, match=r"RELAYLINE_FORWARDED_ALLOW_IPS.*'proxy'"):
        load_settings()
