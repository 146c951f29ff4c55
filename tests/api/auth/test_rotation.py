"""Keys, the secret, keys of payloads and secrets of webhooks are rotated while requests run."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.payloads.converter import converter_for
from relayline.runtime.payloads.ring import ListedKeys, PayloadKey, new_key
from relayline.runtime.settings import Settings
from relayline.teller import telling
from relayline.worker import build_worker
from tests.api.auth.keyed import bearer, issued
from tests.api.serving import Api, eventually, serving
from tests.own_temporal import own_temporal_server
from tests.webhooks.receiving import receiving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
A, B = "a:" + "a" * 40, "b:" + "b" * 40
OLD, NEW = new_key("old"), new_key("new")
RUN = {"agent": "assistant", "input": '{"rehearse": [{"say": "hello"}]}'}
ONCE = {"Idempotency-Key": "once"}
ROUNDS = 4
"""Of each client, before the next process is replaced."""


class Kept(NamedTuple):
    """What processes are given: the first of each signs and encrypts."""

    secret: str
    payload_keys: tuple[PayloadKey, ...]

    @property
    def settings(self) -> Settings:
        """Of an API or a worker."""
        return Settings(
            auth="keys",
            secret=self.secret,
            key_environment="test",
            webhook_loopback=True,
            webhook_retry_s=(0.2,),
            drain_s=0.5,
        )


STEPS = (
    Kept(A, (OLD,)),
    Kept(f"{A},{B}", (OLD, NEW)),  # all can read what the new ones sign and encrypt
    Kept(f"{B},{A}", (NEW, OLD)),
)


@dataclass
class Fleet:
    """Two API processes behind a load balancer, and a worker, replaced one after the other."""

    temporal: Client
    journal: SqliteJournal
    up: dict[int, tuple[Api, AsyncExitStack]] = field(default_factory=dict)
    """By port."""
    worker: AsyncExitStack = field(default_factory=AsyncExitStack)
    busy: Counter[int] = field(default_factory=Counter)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Api]:
        """One of the processes, for a request."""
        api, _ = random.choice([*self.up.values()])  # noqa: S311  not for secrets
        self.busy[api.port] += 1
        try:
            yield api
        finally:
            self.busy[api.port] -= 1

    async def add(self, kept: Kept) -> None:
        """Another API process."""
        stack = AsyncExitStack()
        client = await self._client(kept)
        api = await stack.enter_async_context(serving(kept.settings, self.journal, client))
        self.up[api.port] = (api, stack)

    async def remove(self, port: int) -> None:
        """Stop one that gets no more requests."""
        _, stack = self.up.pop(port)
        await eventually(lambda: not self.busy[port])
        await stack.aclose()

    async def replace_worker(self, kept: Kept) -> None:
        """Stop the worker and start another."""
        await self.worker.aclose()
        client, settings = await self._client(kept), kept.settings
        providers = await self.worker.enter_async_context(aclosing(provider_for(ProviderConfig())))
        for part in (
            build_worker(client, self.journal, providers, settings),
            telling(client, self.journal, settings),
        ):
            await self.worker.enter_async_context(part)

    async def close(self) -> None:
        """Stop all of it."""
        for port in [*self.up]:
            await self.remove(port)
        await self.worker.aclose()

    async def _client(self, kept: Kept) -> Client:
        namespace = self.temporal.namespace
        converter = converter_for(ListedKeys(kept.payload_keys), namespace)
        address = self.temporal.service_client.config.target_host
        return await Client.connect(address, namespace=namespace, data_converter=converter)


@dataclass
class Load:
    """Clients that send requests without a pause, and what went wrong for them."""

    fleet: Fleet
    credential: str
    wrong: list[str] = field(default_factory=list)
    rounds: Counter[str] = field(default_factory=Counter)
    ended: list[str] = field(default_factory=list)
    """Runs that have completed."""
    once: set[str] = field(default_factory=set)
    """The run that one `Idempotency-Key` has started; never another."""

    async def readers(self) -> None:
        """List, repeat a submission, take a stream token, use it at any process."""
        while True:
            await self.ask("GET", "/v1/runs?limit=1")
            again = await self.ask("POST", "/v1/runs", json=RUN, headers=ONCE)
            run = again.json()["run_id"]
            self.once.add(run)
            taken = await self.ask("POST", "/v1/tokens/stream", json={"run_id": run})
            url = f"/v1/runs/{run}/events?access_token={taken.json()['token']}"
            await self.ask("GET", url, credential="")
            self.rounds["readers"] += 1

    async def submitters(self) -> None:
        """Submit a run and wait for its end."""
        while True:
            run = (await self.ask("POST", "/v1/runs", json=RUN)).json()["run_id"]
            for _ in range(20):
                seen = (await self.ask("GET", f"/v1/runs/{run}?wait=3")).json()
                if seen["ended_at"]:
                    break
            if seen["status"] != "completed":
                self.wrong.append(f"{run} is {seen['status']}: {seen['error']}")
            self.ended.append(run)
            self.rounds["submitters"] += 1

    async def rotate(self) -> None:
        """A new key for all clients; the old one holds for those that have not heard of it."""
        key_id = self.credential.split("_")[2]
        path = f"/v1/keys/{key_id}/rotate"
        self.credential = (await self.ask("POST", path, json={"grace_s": 60})).json()["key"]

    async def ask(
        self, method: str, url: str, credential: str | None = None, **more: Any
    ) -> httpx.Response:
        """One request; whatever does not succeed is wrong."""
        given = self.credential if credential is None else credential
        headers = (bearer(given) if given else {}) | more.pop("headers", {})
        async with self.fleet.one() as api:
            answer = await api.http.request(method, url, headers=headers, **more)
        if not answer.is_success:
            self.wrong.append(f"{method} {url}: {answer.status_code} {answer.text}")
            answer.raise_for_status()
        return answer

    async def goes_on(self, clients: list[asyncio.Task[None]]) -> None:
        """Return when each kind of client has done its rounds from now."""
        before = Counter(self.rounds)
        kinds = {"readers": ROUNDS, "submitters": 1}
        await eventually(
            lambda: (
                any(client.done() for client in clients)
                or all(self.rounds[kind] >= before[kind] + many for kind, many in kinds.items())
            )
        )
        assert not self.wrong


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """On a Temporal of its own: nobody else's runs are taken by workers with these keys."""
    journal = SqliteJournal(tmp_path / "journal.db")
    async with own_temporal_server() as temporal:
        made = Fleet(temporal, journal)
        try:
            yield made
        finally:
            await made.close()
            await journal.close()


async def test_whatever_is_rotated_nobody_is_refused_who_should_pass(fleet: Fleet) -> None:
    first = await issued(fleet.journal, f"t-{uuid4().hex[:8]}", secret=A)
    for _ in range(2):
        await fleet.add(STEPS[0])
    await fleet.replace_worker(STEPS[0])
    load = Load(fleet, first.text)
    async with receiving() as receiver:
        hook = {"url": receiver.url, "events": ["run.completed"]}
        made = (await load.ask("POST", "/v1/webhooks", json=hook)).json()
        clients = [
            asyncio.create_task(each()) for each in (load.readers, load.readers, load.submitters)
        ]
        await load.goes_on(clients)
        for kept in STEPS[1:]:
            for old in [*fleet.up]:
                await fleet.add(kept)
                await fleet.remove(old)
                await load.goes_on(clients)
            await fleet.replace_worker(kept)
            await load.rotate()
            await load.goes_on(clients)
        rotate = f"/v1/webhooks/{made['webhook_id']}/rotate"
        rotated = (await load.ask("POST", rotate)).json()
        told_before = len(receiver.got)
        await load.goes_on(clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await receiver.until(lambda got: {*load.ended} <= {it.id.split(".")[0] for it in got})
    assert not load.wrong
    assert len(load.once) == 1
    for got in receiver.got:
        got.verify(made["secret"])
    after = receiver.got[told_before + 1 :]  # one may have been signed just before
    assert after
    for got in after:
        got.verify(rotated["secret"])
