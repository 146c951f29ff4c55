"""The API on loopback, a reader of its streams, and journals to put behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from relayline.api.app import create_app
from relayline.api.services import Services
from relayline.api.serving.protocol import ConnectionLimits
from relayline.api.serving.server import Server, listen
from relayline.catalog.agents import Catalog
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import MessageDelta, RunCompleted, RunStarted, UserMessageEvent
from relayline.contracts.messages import Usage
from relayline.contracts.operation.catalogs import CatalogSpecs
from relayline.contracts.runs import (
    MEMO_PROGRESS,
    SEARCH_AGENT,
    SEARCH_STATUS,
    AgentSpec,
    Limits,
    ModelSettings,
    RunInput,
    RunMemo,
    RunStatus,
    Waiting,
)
from relayline.journal.catalogs.specs_by_build import KnownCatalog
from relayline.journal.table import EVERY, Storage
from relayline.runtime.settings import Settings
from relayline.workflows.agent_run import AgentRun

SSE = {"Accept": "text/event-stream"}
CATALOG = Catalog(
    agents={
        "assistant": AgentSpec(name="assistant", model="rehearsal"),
        "choosy": AgentSpec(
            name="choosy",
            model="rehearsal",
            fallbacks=("rehearsal:spare",),
            models=("rehearsal:small",),
            settings=ModelSettings(temperature=0.5),
        ),
        "brief": AgentSpec(
            name="brief",
            model="rehearsal",
            instructions="Be brief, {user}.",
            template=True,
            limits=Limits(max_steps=3),
        ),
    },
    tools={},
)


class NoCatalogs:
    """Of a journal on which tests run workers, while its API keeps the agents of `CATALOG`."""

    async def write(self, *_: object, **__: object) -> None:
        """Leave it out."""

    async def known(self) -> Sequence[KnownCatalog]:
        """None."""
        return ()

    async def specs(self, known: KnownCatalog) -> CatalogSpecs | None:
        """None."""
        return None


async def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Return as soon as it holds.

    Raises:
        TimeoutError: it does not in time.
    """
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Api:
    """A running server."""

    http: httpx.AsyncClient
    services: Services
    journal: Storage
    host: str
    port: int

    async def quiet(self) -> None:
        """Wait until no stream, slot, follower or tracker is left."""
        await eventually(lambda: not any(self.held()))

    async def opened(self, count: int) -> None:
        """Wait until that many streams are open."""
        await eventually(lambda: self.services.streams.open_count == count)

    def held(self) -> tuple[int, int, int, int]:
        """Open streams, slots in use, followed runs, tracked runs."""
        services, streams = self.services, self.services.streams
        feeds = (services.feed.followed, services.progress.tracked)
        return (streams.open_count, streams.slots_taken, *feeds)


@asynccontextmanager
async def serving(
    settings: Settings, journal: Storage, client: Client, bounds: ConnectionLimits | None = None
) -> AsyncIterator[Api]:
    """Serve on a free port until the block ends, then stop as on SIGTERM."""
    app = create_app(settings, journal, client, CATALOG)
    services: Services = app.state.services
    listener = listen("127.0.0.1", 0)
    host, port = listener.getsockname()
    server = Server(app, services.close_streams, bounds)
    task = asyncio.create_task(server.serve([listener]))
    url, many = f"http://{host}:{port}", httpx.Limits(max_connections=None)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=15, limits=many) as http:
            yield Api(http, services, journal, host, port)
    finally:
        server.should_exit = True
        await task
        await app.state.mcp.close()
        await services.close()
        listener.close()


def run_id() -> str:
    """A fresh id."""
    return f"run_{uuid4().hex}"


def started(**fields: Any) -> NewEvent:
    """`run.started`."""
    body = RunStarted(agent="assistant", model="rehearsal", limits=Limits(), **fields)
    return NewEvent(key="0/run/started", body=body)


def said(text: str) -> NewEvent:
    """`message.user`: the input."""
    return NewEvent(key="0/message/0", body=UserMessageEvent(text=text))


def deltas(count: int, size: int = 8) -> list[NewEvent]:
    """Numbered `message.delta`s of about `size` characters."""
    return [
        NewEvent(body=MessageDelta(text=f"{number:0{size}}"), step=1, attempt=1)
        for number in range(count)
    ]


def completed(output: str = "done") -> NewEvent:
    """The terminal fact."""
    return ended_with(Usage(input_tokens=3, output_tokens=4), output)


def ended_with(usage: Usage, output: str = "done") -> NewEvent:
    """The terminal fact of a run that has used as much."""
    return NewEvent(key="0/run/ended", body=RunCompleted(output=output, usage=usage), step=1)


async def ended_run(journal: Storage, count: int = 20) -> str:
    """A run with that many deltas that has completed; its journal has `count + 3` events."""
    new = run_id()
    await journal.append(new, [started(), said("hello"), *deltas(count), completed()])
    return new


async def waiting_run(client: Client, *waiting_for: Waiting, task_queue: str = "nobody") -> str:
    """A run that waits, as Temporal shows it; by default no worker ever takes it up."""
    new = run_id()
    pairs = {SEARCH_STATUS: RunStatus.WAITING.value, SEARCH_AGENT: "assistant"}
    await client.start_workflow(
        AgentRun.run,
        RunInput(run_id=new, agent=CATALOG.agents["assistant"], input="hello"),
        id=new,
        task_queue=task_queue,
        memo={MEMO_PROGRESS: RunMemo(status=RunStatus.WAITING, step=1, waiting_for=waiting_for)},
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
                for name, value in pairs.items()
            ]
        ),
    )
    return new


async def signals(client: Client, run: str) -> list[tuple[str, dict[str, Any]]]:
    """The signals that Temporal has taken in for the run, in order, with their arguments."""
    history = await client.get_workflow_handle(run).fetch_history()
    return [
        (signal.signal_name, json.loads(signal.input.payloads[0].data))
        for event in history.events
        if (signal := event.workflow_execution_signaled_event_attributes).signal_name
    ]


async def envelopes(journal: Storage, run: str) -> list[dict[str, Any]]:
    """The whole journal as clients see it."""
    found: list[StoredEvent] = []
    while page := await journal.read(EVERY, run, found[-1].seq if found else 0, 1000):
        found.extend(page)
    return [json.loads(event.envelope_json()) for event in found]


async def frames(answer: httpx.Response) -> AsyncGenerator[tuple[str, str, str], None]:
    """Frames of a stream as (id, event, data); comments and `retry` are left out."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield fields.get("id", ""), fields.get("event", ""), fields["data"]
        fields = {}


async def follow(
    api: Api, run: str, after: int | None = None, stop_after: int | None = None
) -> list[dict[str, Any]]:
    """Envelopes of the journal in one connection: to its end, or cut after that many."""
    headers = SSE | ({} if after is None else {"Last-Event-ID": str(after)})
    got: list[dict[str, Any]] = []
    async with api.http.stream("GET", f"/v1/runs/{run}/events", headers=headers) as answer:
        assert answer.status_code in {200, 204}, await answer.aread()
        async for seq, kind, data in frames(answer):
            if kind == "worker.unavailable":
                assert not seq
                continue
            got.append(json.loads(data))
            assert (seq, kind) == (str(got[-1]["seq"]), got[-1]["type"])
            if len(got) == stop_after:
                break
    return got
