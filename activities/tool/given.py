"""What a tool call is given: the arguments, and the tool if it may run with them."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from relayline.activities.attempt import Attempt
from relayline.activities.strictness import must_be_approved
from relayline.activities.tool.output import ToolFailure, checked_arguments
from relayline.catalog.tools import Tool
from relayline.contracts.calls import ToolRequest
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ApprovalResolved, MessageCompleted
from relayline.contracts.keys import resolved_key
from relayline.contracts.messages import ToolCall


async def _planned(attempt: Attempt, request: ToolRequest) -> ToolCall:
    """The call as the model asked for it, from the message of its step."""
    body = await attempt.message(request.step)
    calls = body.tool_calls if isinstance(body, MessageCompleted) else ()
    for call in calls:
        if call.call_id == request.call.call_id:
            return call
    raise ToolFailure(ErrorType.BAD_ARGUMENTS, f"the journal has no call {request.call.call_id!r}")


async def given_arguments(attempt: Attempt, request: ToolRequest) -> dict[str, JsonValue]:
    """The arguments that a person gave with the approval, else the model's."""
    planned = (await _planned(attempt, request)).arguments
    if request.approval_id is None:
        return planned
    stored = await attempt.get(resolved_key(request.approval_id))
    body = stored.body() if stored else None
    if not isinstance(body, ApprovalResolved) or body.decision != "approve":
        raise ToolFailure(
            ErrorType.APPROVAL_REQUIRED,
            f"the journal has no approval {request.approval_id!r}",
        )
    return planned if body.arguments is None else body.arguments


def ready(
    request: ToolRequest, tool: Tool | None, given: dict[str, JsonValue]
) -> tuple[Tool, dict[str, Any]]:
    """The tool and its keyword arguments; raises `ToolFailure` if it may not run."""
    spec = request.tool
    if spec is None:
        raise ToolFailure(ErrorType.UNKNOWN_TOOL, f"this agent has no tool {request.call.name!r}")
    if tool is None:
        raise ToolFailure(ErrorType.UNKNOWN_TOOL, f"this worker has no tool {request.call.name!r}")
    arguments = checked_arguments(spec, tool, given)
    if request.approval_id is None and must_be_approved(spec, tool.spec, given):
        raise ToolFailure(
            ErrorType.APPROVAL_REQUIRED, f"nobody has approved this call of {request.call.name}"
        )
    return tool, arguments
