"""One call over an open connection."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import JsonValue, ValidationError

from relayline.activities.tool.mcp.connection import Connection
from relayline.activities.tool.mcp.failures import MAX_TEXT_CHARS, failure_of, lost
from relayline.activities.tool.mcp.output import questions_of, text_of
from relayline.activities.tool.mcp.pool import Pool
from relayline.activities.tool.mcp.port import McpCall, McpFailure
from relayline.activities.tool.mcp.session import CallResult
from relayline.catalog.schemas.schema import mismatch
from relayline.catalog.tools import ToolContext
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import (
    MAX_ROUNDS,
    McpQuestions,
    McpRound,
    McpToolSpec,
    call_digest,
)

_POLL_S = (0.05, 0.1, 0.25)
"""Pauses before a server that gave a state without questions is asked again."""
CALL_META, CONTEXT_META = "relayline/call", "relayline/context"
_TOLD_EARLIER_S = 1.0
"""A server is told of the time-out so long before the end, or a tenth of a short limit."""


class Calling:
    """A call, which may take several requests."""

    def __init__(self, pool: Pool, call: McpCall, context: ToolContext) -> None:
        self._pool = pool
        self._call = call
        self._context = context
        self._until = asyncio.get_running_loop().time() + call.tool.spec.timeout_s
        self._sent = False
        self._connection: Connection | None = None

    async def run(self) -> str | McpQuestions:
        """Connect, check that the tool is the pinned one, call it, read its result.

        Raises:
            McpFailure: it failed, see there; `OutcomeUnknown` if it may have run.
        """
        try:
            async with (
                asyncio.timeout_at(self._until - self._margin_s / 2),
                self._pool.connection(self._context.run_id) as connection,
            ):
                self._connection = connection
                return await self._run(connection)
        except TimeoutError:
            raise self._late() from None
        except asyncio.CancelledError:
            if not self._sent or (self._connection and self._connection.ended):
                self._call.stopped.set()
            raise

    async def _run(self, connection: Connection) -> str | McpQuestions:
        server = f"MCP server {self._call.tool.server!r}"
        try:
            schema = await self._unchanged(connection)
            result = await self._finished(connection)
        except MCPError as error:
            why = connection.broken_by(error)
            if self._sent:
                raise failure_of(error, self._call.tool, why) from None
            text = f"{server} did not list its tools: {why}"
            raise McpFailure(text, retryable=True) from None
        except ValidationError:
            raise McpFailure(f"{server} sent what is no result") from None
        self._pool.breaker.succeeded()
        return self._read(connection, result, schema)

    @property
    def _margin_s(self) -> float:
        return min(_TOLD_EARLIER_S, self._call.tool.spec.timeout_s / 10)

    def _late(self) -> McpFailure:
        """The server does not even read what it is sent, or not list its tools."""
        why, kind = "it did not answer in time", ErrorType.TOOL_TIMED_OUT
        tool = self._call.tool
        if self._sent:
            return lost(tool, why, kind=kind)
        return McpFailure(f"MCP server {tool.server!r}: {why}", kind=kind, retryable=True)

    async def _unchanged(self, connection: Connection) -> dict[str, JsonValue] | None:
        """The tool's output schema, if the live definition is what the run has pinned."""
        tool = self._call.tool
        live = (await connection.definitions()).tools.get(tool.tool)
        if live is None:
            raise _changed(tool, "no longer offers it")
        if call_digest(live.wire) != tool.digest:
            raise _changed(tool, "now defines it differently")
        schema = live.wire["outputSchema"]
        return schema if isinstance(schema, dict) else None

    async def _finished(self, connection: Connection) -> CallResult:
        """The result, or questions: after polls, and after a state that the server refused."""
        before = self._call.round
        try:
            return await self._polled(connection, before)
        except MCPError as error:
            if error.code != types.INVALID_PARAMS or not before or before.asked.state is None:
                raise
        return await self._asked_again(connection, before)

    async def _asked_again(self, connection: Connection, before: McpRound) -> CallResult:
        """The server forgot the state, so begin again; the same questions get the same answers."""
        result = await self._polled(connection, None)
        if isinstance(result, types.InputRequiredResult):
            now = questions_of(result)
            if now.questions == before.asked.questions:
                again = McpRound(asked=now, answers=before.answers)
                return await self._polled(connection, again)
        return result

    async def _polled(self, connection: Connection, again: McpRound | None) -> CallResult:
        """The answer; a state without questions is returned until there is one."""
        result = await self._request(connection, again, None)
        for poll in range(MAX_ROUNDS):
            if isinstance(result, types.CallToolResult) or result.input_requests:
                return result
            await asyncio.sleep(_POLL_S[min(poll, len(_POLL_S) - 1)])
            result = await self._request(connection, None, result.request_state)
        raise McpFailure(f"{self._call.tool.tool} asked to be called again {MAX_ROUNDS} times")

    async def _request(
        self, connection: Connection, again: McpRound | None, state: str | None
    ) -> CallResult:
        left_s = self._until - asyncio.get_running_loop().time() - self._margin_s
        if left_s <= 0:
            raise TimeoutError
        self._sent = True
        return await connection.session.ask(
            self._call.tool.tool,
            self._call.arguments,
            meta=self._meta(),
            timeout_s=left_s,
            progress=self._progress,
            again=again,
            state=state,
        )

    async def _progress(self, progress: float, total: float | None, message: str | None) -> None:
        share = progress / total if total else None
        counted = f"{progress:g}/{total:g}" if total else f"{progress:g}"
        known = share is not None and math.isfinite(share)
        self._context.progress(message or counted, share if known else None)

    def _meta(self) -> dict[str, Any]:
        """What the server is told of the run; of whom and what, only a trusted one."""
        context, server = self._context, self._pool.server
        meta: dict[str, Any] = {CALL_META: context.idempotency_key}
        if server.trusted:
            about = dict(self._call.about)
            metadata = about.pop("metadata", None)
            given = metadata if isinstance(metadata, dict) else {}
            told = {key: given[key] for key in server.metadata if key in given}
            meta[CONTEXT_META] = {
                **about,
                "run_id": context.run_id,
                "call_id": context.call_id,
                "tenant": context.tenant,
                "idempotency_key": context.idempotency_key,
                **({"metadata": told} if told else {}),
            }
        return meta

    def _read(
        self, connection: Connection, result: CallResult, schema: dict[str, JsonValue] | None
    ) -> str | McpQuestions:
        if isinstance(result, types.InputRequiredResult):
            return questions_of(result)
        text = connection.clean(text_of(result))
        if result.is_error:
            raise McpFailure(text[:MAX_TEXT_CHARS] or f"{self._call.tool.tool} failed")
        if schema is not None and (misfit := mismatch(schema, result.structured_content)):
            misfit = connection.clean(misfit)
            raise McpFailure(f"the result does not match the tool's schema: {misfit}")
        return text


def _changed(tool: McpToolSpec, how: str) -> McpFailure:
    return McpFailure(
        f"{tool.tool} is not what it was when this run began: MCP server {tool.server!r} {how}",
        kind=ErrorType.TOOL_CHANGED,
    )
