"""What runs want of MCP servers: their tools, and a call of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from pydantic import JsonValue

from relayline.catalog.tools import ToolContext, ToolError
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import Listing, McpQuestions, McpRound, McpToolSpec


@dataclass(frozen=True)
class McpCall:
    """One attempt of a call, as the journal and the pinned list have it."""

    tool: McpToolSpec
    """As the run has pinned it: its `timeout_s` and `effects` hold, not what is listed now."""
    arguments: Mapping[str, JsonValue]
    """They fit the pinned schema."""
    about: Mapping[str, JsonValue] = field(default_factory=dict)
    """More for `_meta[relayline/context]` than the `ToolContext` has: turn, step, user, agent,
    metadata (all of it: only keys that the server's declaration names are sent)."""
    round: McpRound | None = None
    """Set: the call is repeated with a person's answers."""
    stopped: Event = field(default_factory=Event, compare=False)
    """Set before `CancelledError` is raised if the tool does not run any more: the process of its
    server has ended, or was sent nothing. Not set: the server was told, and need not obey."""


class McpTools(Protocol):
    """The MCP servers of a worker's catalog. May be used from any event loop."""

    async def listed(self, servers: Sequence[str], run_id: str) -> Listing:
        """List the tools of these servers, side by side, from a cache where it is fresh.

        Args:
            servers: Names of servers in the catalog, without repetition.
            run_id: Whose they are; a legacy server has a connection for each run.

        Raises:
            McpFailure: a server that is not optional did not answer within its `connect_s`
                (retryable), or is not in this worker's catalog, or two tools have one name (not
                retryable).
        """
        ...

    async def call(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        """Call the tool once; cancelling this tells the server, which need not obey.

        Args:
            call: What is called, with what.
            context: Receives the server's progress. Its run, call, tenant and idempotency key are
                told to the server.

        Returns:
            The result as text, not yet cut to the limit of results; or questions, and then the call
            has ended and waits to be repeated with a `round`.

        Raises:
            McpFailure: it failed; see there.
            OutcomeUnknown: the tool is unsafe and the connection was lost after the call was sent.
            CancelledError: this call was cancelled, never because a connection broke.
        """
        ...

    async def forget(self, run_id: str) -> None:
        """Close the run's own connections, those in use when they are not any more.

        Any run may be forgotten: its next call opens a new connection.
        """
        ...


class McpFailure(ToolError):
    """A call or a listing failed; the message is for the model and has no secrets.

    `kind`: `tool-failed` (the server says so, or did not answer), `bad-arguments`, `unknown-tool`,
    `tool-timed-out`, or `tool-changed`: the tool is not what the run has pinned, and did not run.
    """

    def __init__(
        self, message: str, *, kind: ErrorType = ErrorType.TOOL_FAILED, retryable: bool = False
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.kind = kind


class OutcomeUnknown(McpFailure):
    """An unsafe call was sent, and whether it ran is unknown; it must not run again by itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=ErrorType.OUTCOME_UNKNOWN)
