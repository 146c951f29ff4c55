"""Tool calls with what they need: the tool, as strict as it is here, and what its server asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue

from relayline.activities.attempt import Attempt
from relayline.activities.strictness import strict_request, stricter
from relayline.activities.tool.mcp.port import McpTools
from relayline.activities.tool.output import Clean
from relayline.activities.tool.served.asking import Asking
from relayline.activities.tool.served.forward import Forward
from relayline.activities.tool.served.pinned import PinnedTools
from relayline.activities.whose.run import caller_of
from relayline.catalog.tools import Tool
from relayline.contracts.calls import CheckRequest, PlannedCall, ToolRequest
from relayline.contracts.mcp import McpToolSpec
from relayline.contracts.mcp.planned import McpPlan
from relayline.contracts.runs import ToolSpec


class Prepared(NamedTuple):
    """A call that can begin."""

    request: ToolRequest
    """With a spec as strict as all that have a say in it."""
    tool: Tool | None
    """None: this worker does not have it."""
    asking: Asking


class Preparing:
    """Finds the tools of calls: a worker's own, and those of its MCP servers."""

    def __init__(
        self, tools: Mapping[str, Tool], servers: McpTools | None, clean: Clean = str
    ) -> None:
        self._tools = tools
        self._clean = clean
        self._servers = servers
        self._pins = PinnedTools()

    async def call(self, attempt: Attempt, request: ToolRequest) -> Prepared:
        """What the call needs.

        Raises:
            ApplicationError: `journal-incomplete`, final: the journal lacks the list that has the
                tool. The journal's errors, as in `Attempt`.
        """
        call = request.call
        if call.mcp is None:
            tool = self._tools.get(call.name)
            return Prepared(strict_request(request, tool), tool, Asking(attempt, request, None))
        pinned = await self._pinned(attempt, call.mcp, call.name)
        if pinned is None or self._servers is None:
            told = request.model_copy(update={"tool": call.mcp.spec(call.name)})
            return Prepared(told, None, Asking(attempt, told, None))
        forward = Forward(self._servers, pinned, await _about(attempt, request), self._clean)
        strict = request.model_copy(update={"tool": _strict(pinned.spec, call, call.mcp)})
        return Prepared(strict, forward.as_tool(), Asking(attempt, request, forward))

    async def check(self, attempt: Attempt, request: CheckRequest) -> tuple[ToolSpec, Tool | None]:
        """The tool whose arguments are checked, and its spec in the run.

        Raises:
            ApplicationError: as in `call`.
        """
        spec = request.tool
        if request.mcp is None:
            return spec, self._tools.get(spec.name)
        pinned = await self._pinned(attempt, request.mcp, spec.name)
        if pinned is None:
            return spec, None
        return pinned.spec, Tool(pinned.spec, _never)

    async def _pinned(self, attempt: Attempt, plan: McpPlan, name: str) -> McpToolSpec | None:
        return (await self._pins.at(attempt, plan.listed)).tools.get(name)


def _strict(pinned: ToolSpec, call: PlannedCall, plan: McpPlan) -> ToolSpec:
    """The pinned spec, at least as strict as what the workflow was told."""
    return stricter(pinned, plan.spec(call.name))


def _never() -> None:
    """Stands for a tool that is only checked."""
    raise AssertionError("nobody calls it")


async def _about(attempt: Attempt, request: ToolRequest) -> dict[str, JsonValue]:
    """What a server may be told of the call beside its run, call, tenant and idempotency key."""
    caller = await caller_of(attempt, request.tenant, request.epoch, request.step)
    own = caller.whose
    about: dict[str, JsonValue] = {
        "step": request.step,
        "turn": caller.turn,
        "agent": own.agent,
        "user": own.user,
        "metadata": dict(own.metadata),
    }
    return {name: value for name, value in about.items() if value or name == "metadata"}
