"""The client of the native HTTP protocol: submit, look, follow, steer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from relayline.client.errors import not_understood, problem_of, unreachable, unsendable, unusable
from relayline.client.sse import SseFrame
from relayline.client.stream import SILENCE_S, Follower, Interruption
from relayline.contracts.answers import (
    CommandReceipt,
    CommandView,
    ProgressView,
    RunAccepted,
    RunList,
    RunView,
)
from relayline.contracts.commands import AnyCommand, Decide
from relayline.contracts.envelope import Envelope, EventPage
from relayline.contracts.runs import RunStatus

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 30.0
"""For an answer, on top of the time that a call asks the server to wait."""

_Model = TypeVar("_Model", bound=BaseModel)


class ApiClient:
    """Speaks to one Relayline API. Enter it to use it.

    Every method raises `ApiError` when the server refuses, fails or does not answer; its text is
    one line for people. So does making a client for an address that is none.
    """

    def __init__(self, base_url: str, *, silence_s: float = SILENCE_S) -> None:
        """Make a client.

        Args:
            base_url: `http://HOST:PORT`.
            silence_s: After that much silence a stream counts as dead and is opened anew.
        """
        self._silence_s = silence_s
        self.base_url = base_url.rstrip("/")
        try:
            url = httpx.URL(self.base_url)
        except httpx.InvalidURL as error:
            raise unusable(base_url) from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise unusable(base_url)
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            headers={"Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def submit(
        self, request: Mapping[str, JsonValue], *, idempotency_key: str | None = None
    ) -> RunAccepted:
        """Start a run: `{agent, input, model?, limits?, metadata?}`.

        With the same key and request again, the run that was started the first time.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        answer = await self._post("/v1/runs", request, headers)
        return self._parsed(RunAccepted, answer)

    async def get(self, run_id: str, *, wait_s: float = 0) -> RunView:
        """A run as it stands; with `wait_s` (at most 60), as soon as it has ended."""
        answer = await self._get(_path(run_id), wait_s=wait_s)
        return self._parsed(RunView, answer)

    async def list(
        self,
        *,
        status: RunStatus | None = None,
        agent: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunList:
        """One page of runs, newest first."""
        query: dict[str, str | int | None] = {
            "status": status.value if status else None,
            "agent": agent,
            "limit": limit,
            "cursor": cursor,
        }
        given = {name: value for name, value in query.items() if value is not None}
        return self._parsed(RunList, await self._get("/v1/runs", given))

    async def events(self, run_id: str, *, after: int = 0, limit: int = 100) -> EventPage:
        """One page of the journal: events with `seq > after`."""
        params = {"after": after, "limit": limit}
        answer = await self._get(_path(run_id, "events"), params)
        return self._parsed(EventPage, answer)

    async def progress(self, run_id: str) -> ProgressView:
        """Where a run stands now."""
        return self._parsed(ProgressView, await self._get(_path(run_id, "progress")))

    async def command(self, run_id: str, command: AnyCommand) -> str:
        """Send a command; its id. It is accepted, and maybe not acted on yet."""
        fields: dict[str, JsonValue] = command.model_dump(exclude={"command_id", "approval_id"})
        body = {name: value for name, value in fields.items() if value is not None}
        if isinstance(command, Decide):
            path = _path(run_id, "approvals", command.approval_id)
        else:
            path = _path(run_id, command.kind.value)
        answer = await self._post(path, body)
        return self._parsed(CommandReceipt, answer).command_id

    async def outcome(self, run_id: str, command_id: str, *, wait_s: float = 0) -> CommandView:
        """What became of a command; with `wait_s` (at most 30), as soon as that is known."""
        path = _path(run_id, "commands", command_id)
        return self._parsed(CommandView, await self._get(path, wait_s=wait_s))

    def frames(
        self,
        run_id: str,
        *,
        after: int = 0,
        on_interruption: Callable[[Interruption], None] | None = None,
    ) -> AsyncGenerator[SseFrame, None]:
        """The run's events as they come, as the server wrote them, each once and in order.

        Reconnects by itself for as long as it takes; ends after the terminal event. Close the
        iterator (`aclosing`) to stop following. If the server has lost events that were given
        out, an interruption says `anew`, and the events come from `after` on once more.

        Args:
            run_id: The run.
            after: Events with a greater `seq` only.
            on_interruption: Told of each wait before a new connection, and of each time that the
                server says that nobody works on the run.

        Raises:
            ApiError: the server refused with a 4xx that trying again can't help.
        """
        path = _path(run_id, "events")
        follower = Follower(self._http, path, after, self._silence_s)
        return follower.frames(on_interruption)

    async def stream(self, run_id: str, *, after: int = 0) -> AsyncGenerator[Envelope, None]:
        """The run's events as they come, as in `frames`."""
        async with aclosing(self.frames(run_id, after=after)) as frames:
            async for frame in frames:
                yield Envelope.model_validate_json(frame.data)

    async def _get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, wait_s: float = 0
    ) -> httpx.Response:
        query: dict[str, str | int | float] = {**(params or {})}
        if wait_s:
            query["wait"] = wait_s
        timeout = httpx.Timeout(TIMEOUT_S + wait_s, connect=CONNECT_TIMEOUT_S)
        return await self._send(
            self._http.build_request("GET", path, params=query, timeout=timeout)
        )

    async def _post(
        self, path: str, body: Mapping[str, JsonValue], headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            request = self._http.build_request("POST", path, json=dict(body), headers=headers)
        except ValueError as error:
            raise unsendable(error) from error
        return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = await self._http.send(request)
        except httpx.HTTPError as error:
            raise unreachable(self.base_url, error) from error
        if not answer.is_success:
            raise problem_of(self.base_url, answer)
        return answer

    def _parsed(self, model: type[_Model], answer: httpx.Response) -> _Model:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            what = f"with something that is no {model.__name__}"
            raise not_understood(self.base_url, answer.status_code, what) from error


def _path(*parts: str) -> str:
    return "/".join(("/v1/runs", *(quote(part, safe="") for part in parts)))
