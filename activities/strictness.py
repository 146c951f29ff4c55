"""The stricter of a run's pinned tool spec and the worker's own counts.

A run is started with its agent's spec, and whoever can start a workflow can write one that needs no
approval. What a tool demands where it runs holds all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from relayline.catalog.schemas.schema import needs_approval
from relayline.catalog.tools import Tool
from relayline.contracts.calls import ToolRequest
from relayline.contracts.runs import ToolSpec


def stricter(pinned: ToolSpec, own: ToolSpec | None) -> ToolSpec:
    """The pinned spec, as unsafe, as short and as much of a question as either of the two."""
    if own is None:
        return pinned
    unsafe = "unsafe" in {pinned.effects, own.effects}
    return pinned.model_copy(
        update={
            "effects": "unsafe" if unsafe else "safe",
            "timeout_s": min(pinned.timeout_s, own.timeout_s),
            "asks": pinned.asks or own.asks,
        }
    )


def must_be_approved(
    pinned: ToolSpec, own: ToolSpec | None, arguments: Mapping[str, JsonValue]
) -> bool:
    """True if a person must approve a call with these arguments by either of the two."""
    return any(needs_approval(spec, arguments) for spec in (pinned, own) if spec)


def strict_request(request: ToolRequest, tool: Tool | None) -> ToolRequest:
    """The request with a spec as strict as the pinned one, the tool's own and the plan's."""
    pinned = request.tool
    if pinned is None or tool is None:
        return request
    spec = stricter(pinned, tool.spec)
    if request.call.unsafe:
        spec = spec.model_copy(update={"effects": "unsafe"})
    return request.model_copy(update={"tool": spec})
