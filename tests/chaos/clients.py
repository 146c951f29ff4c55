"""HTTP clients that come and go: followers of a run's events, and people who steer it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from random import Random
from typing import Any

import httpx

from relayline.client.streams.sse import SseParser
from relayline.contracts.events import TERMINAL_TYPES
from tests.chaos.observed import Connection, Event, Sent
from tests.chaos.plans import Plan

RETRY_S = 0.2
"""Between two tries while the API is away."""
LOOK_S = 0.4
"""Between two looks at what a run waits for."""
SILENCE_S = 20.0
"""A connection on which so long nothing comes, not even a comment, is given up."""
AWAY_S = 120.0
"""How long the API, or what it needs, may be away or in trouble."""
NO_ANSWER = 0
"""Stands for the status of a request whose answer never came."""


class Apis:
    """The API processes of a stack; each request goes to one of them, drawn from a seed."""

    def __init__(self, http: httpx.AsyncClient, urls: Sequence[str], random: Random) -> None:
        self._http = http
        self._urls = urls
        self._random = random

    async def get(self, path: str, **how: Any) -> httpx.Response:
        """GET it."""
        return await self._http.get(self._url(path), **how)

    async def post(self, path: str, **how: Any) -> httpx.Response:
        """POST to it."""
        return await self._http.post(self._url(path), **how)

    def stream(self, path: str, **how: Any) -> AbstractAsyncContextManager[httpx.Response]:
        """GET it as it comes."""
        return self._http.stream("GET", self._url(path), **how)

    def _url(self, path: str) -> str:
        return self._random.choice(self._urls) + path


class Follower:
    """Follows one run over many connections, each from a cursor it has a right to."""

    def __init__(self, apis: Apis, run_id: str, random: Random) -> None:
        self.connections: list[Connection] = []
        self._apis = apis
        self._path = f"/v1/runs/{run_id}/events"
        self._random = random
        self.newest = 0
        """The newest event that it has got."""
        self._before = 0
        """The newest event when it began to follow."""
        self._over = False

    async def follow(self) -> None:
        """Until a terminal event has come; again, until another one has, if the run was reset."""
        self._over = False
        self._before = self.newest
        while not self._over:
            try:
                await (self._stream() if self._random.random() < 0.85 else self._page())
            except httpx.HTTPError:
                await asyncio.sleep(RETRY_S)

    def _cursor(self) -> int:
        """Mostly where it was, sometimes further back."""
        back = self.newest and self._random.random() < 0.2
        return self._random.randrange(self.newest) if back else self.newest

    async def _stream(self) -> None:
        """Read some frames, or all, of one stream."""
        cursor = self._cursor()
        left = self._random.choice([1, 3, 10, 40, 10_000])
        in_header = self._random.random() < 0.5
        headers = {"Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": str(cursor)} if in_header else {}
        params = {} if in_header else {"after": cursor}
        connection = self._opened(cursor)
        async with self._apis.stream(
            self._path, headers=headers, params=params, timeout=SILENCE_S
        ) as answer:
            if answer.status_code == httpx.codes.NO_CONTENT:  # there is no more to come
                self._over = True
                return
            if answer.status_code != httpx.codes.OK:
                await asyncio.sleep(RETRY_S)
                return
            async with aclosing(_frames(answer)) as frames:
                async for seq, event in frames:
                    self._got(connection, seq, event)
                    left -= 1
                    if not left or self._over:
                        return

    async def _page(self) -> None:
        """Read one page."""
        params = {"after": self._cursor(), "limit": self._random.choice([1, 20, 1000])}
        answer = await self._apis.get(self._path, params=params)
        if answer.status_code != httpx.codes.OK:
            await asyncio.sleep(RETRY_S)
            return
        connection = self._opened(params["after"])
        for event in answer.json()["events"]:
            self._got(connection, event["seq"], event)
        await asyncio.sleep(self._random.choice([0, 0.1]))

    def _opened(self, cursor: int) -> list[tuple[int, Event]]:
        frames: list[tuple[int, Event]] = []
        self.connections.append(Connection(cursor, frames))
        return frames

    def _got(self, frames: list[tuple[int, Event]], seq: int, event: Event) -> None:
        frames.append((seq, event))
        self.newest = max(self.newest, seq)
        newest = self._before < seq == self.newest  # no end that was left behind and is read again
        self._over = newest and event["type"] in TERMINAL_TYPES


async def _frames(answer: httpx.Response) -> AsyncGenerator[tuple[int, Event], None]:
    parser = SseParser()
    async for chunk in answer.aiter_raw():
        for frame in parser.feed(chunk):
            if frame.id:
                yield int(frame.id), json.loads(frame.data)


class Person:
    """Steers one run as planned, and helps it on wherever it waits for somebody."""

    def __init__(self, apis: Apis, run_id: str, plan: Plan, random: Random) -> None:
        self.sent: list[Sent] = []
        self._apis = apis
        self._run_id = run_id
        self._plan = plan
        self._random = random
        self._answers = list(plan.answers)
        self._dealt_with: set[str] = set()

    async def steer(self) -> None:
        """Until the run has ended."""
        commands = [asyncio.create_task(self._later(*it)) for it in self._plan.commands]
        try:
            while not (view := await self.view())["ended_at"]:
                for item in view["waiting_for"]:
                    await self._help(item["kind"], item["id"] or "")
                if view["status"] == "idle" and all(it.done() for it in commands):
                    await self.send("close", {})
                await asyncio.sleep(LOOK_S)
        finally:
            for command in commands:
                command.cancel()
            await asyncio.gather(*commands, return_exceptions=True)

    async def view(self) -> dict[str, Any]:
        """`GET /v1/runs/{id}`, whenever the API is there."""
        view: dict[str, Any] = (await self._told(f"/v1/runs/{self._run_id}")).json()
        return view

    async def ask_outcomes(self) -> None:
        """What has become of each command that was taken."""
        for sent in self.sent:
            path = f"/v1/runs/{sent.run_id or self._run_id}/commands/{sent.command_id}"
            answer = await eventually(lambda path=path: self._apis.get(path))  # type: ignore[misc]
            if answer.status_code == httpx.codes.OK:
                sent.state, sent.reason = answer.json()["state"], answer.json()["reason"]
            else:
                sent.state = str(answer.status_code)

    async def send(self, path: str, body: dict[str, Any]) -> None:
        """Send a command until there is an answer, under the same id."""
        kind = path.partition("/")[0]
        sent = Sent(f"{kind}-{len(self.sent)}", kind)
        self.sent.append(sent)

        async def post() -> httpx.Response:
            sent.statuses.append(NO_ANSWER)
            where = f"/v1/runs/{self._run_id}/{path}"
            answer = await self._apis.post(where, json={**body, "command_id": sent.command_id})
            sent.statuses[-1] = answer.status_code
            if answer.status_code == httpx.codes.ACCEPTED:
                whose = answer.json().get("run_id", self._run_id)
                sent.run_id = whose if whose != self._run_id else ""
            return answer

        await eventually(post)

    async def _later(self, seconds: float, path: str, body: dict[str, Any]) -> None:
        await asyncio.sleep(seconds)
        await self.send(path, body)

    async def _help(self, kind: str, id_: str) -> None:
        """Do what the run waits for, once."""
        if id_ in self._dealt_with or self._random.random() < 0.3:
            return
        match kind:
            case "approval":
                self._dealt_with.add(id_)
                decision = self._random.choice(["approve", "approve", "deny"])
                await self.send(f"approvals/{id_}", {"decision": decision, "by": "ann"})
            case "input":
                self._dealt_with.add(id_)
                asks = id_.rpartition(".")[2].startswith("outcome") and self._answers
                text = self._answers.pop(0) if asks else "happened: yes"
                await self.send("answer", {"request_id": id_, "text": text})
            case _ if len(self.sent) >= len(self._plan.commands):
                await self.send("resume", {})

    async def _told(self, path: str) -> httpx.Response:
        async def get() -> httpx.Response:
            answer = await self._apis.get(path)
            return answer if answer.status_code == httpx.codes.OK else httpx.Response(503)

        return await eventually(get)


async def eventually(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The first answer that does not say that the server is away or in trouble.

    Raises:
        TimeoutError: there is none in `AWAY_S`.
    """
    async with asyncio.timeout(AWAY_S):
        while True:
            with suppress(httpx.HTTPError):
                answer = await ask()
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            await asyncio.sleep(RETRY_S)
