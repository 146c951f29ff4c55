"""What an error of a call means: whether it ran, and whether it may be tried again."""

from __future__ import annotations

import mcp_types as types
from mcp.shared.exceptions import MCPError

from relayline.activities.tool.mcp.http import NOT_SENT, REFUSED
from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import McpToolSpec

MAX_TEXT_CHARS = 1000
_DID_NOT_RUN = {NOT_SENT, types.HEADER_MISMATCH}
_UNKNOWN = {
    types.CONNECTION_CLOSED,
    types.REQUEST_TIMEOUT,
    types.INTERNAL_ERROR,
    types.PARSE_ERROR,  # of the SDK: of the answer only the beginning came
}
_SESSION_ENDED = "Session terminated"
"""The SDK's words for a server that has restarted and no longer knows the session."""


def failure_of(error: MCPError, tool: McpToolSpec, why: str = "") -> McpFailure:
    """The failure for a call that ended with this error.

    | code | failure |
    |---|---|
    | the server was not reached, its session is over | retryable: it did not run |
    | closed, time-out, internal, an answer that is cut off | safe: retryable; else unknown |
    | any other | not retryable: the server has refused |

    Args:
        error: The error.
        tool: What was called.
        why: Why the connection ended, if it did.
    """
    named = f"MCP server {tool.server!r}"
    said = (why or error.message)[:MAX_TEXT_CHARS]
    if error.code in _DID_NOT_RUN or session_ended(error):
        return McpFailure(f"{named} did not run it: {said}", retryable=True)
    if error.code not in _UNKNOWN:
        refused = "" if error.code == REFUSED else f" ({error.code})"
        return McpFailure(f"{named} refused: {said}{refused}")
    if error.code == types.REQUEST_TIMEOUT:
        return lost(tool, "it did not answer in time", kind=ErrorType.TOOL_TIMED_OUT)
    return lost(tool, said)


def lost(tool: McpToolSpec, why: str, *, kind: ErrorType = ErrorType.TOOL_FAILED) -> McpFailure:
    """The failure for a call of which no end is known: a safe one may run again."""
    named = f"MCP server {tool.server!r}"
    if tool.spec.effects == "unsafe":
        return OutcomeUnknown(f"{named}: {why}; {tool.tool} may or may not have run")
    return McpFailure(f"{named}: {why}", kind=kind, retryable=True)


def session_ended(error: MCPError) -> bool:
    """True if the server has forgotten the session: another connection is needed."""
    return error.code == types.INVALID_REQUEST and error.message == _SESSION_ENDED
