"""The activities `call_tool` and `check_arguments`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from temporalio import activity

from relayline.activities.attempt import Attempt
from relayline.activities.files.tool_images import ImageKeeper
from relayline.activities.presence import Presence
from relayline.activities.suspects import Suspects
from relayline.activities.tool.context import ToolThreads
from relayline.activities.tool.ended import recorded_outcome
from relayline.activities.tool.mcp.port import McpTools
from relayline.activities.tool.one_call import CHECK_BOUND_S, STOP_BOUND_S, OneCall, Shared
from relayline.activities.tool.output import Clean, ToolFailure, checked_arguments
from relayline.activities.tool.served.prepared import Preparing
from relayline.catalog.tools import Tool
from relayline.contracts.calls import CheckRequest, CheckResult, ToolOutcome, ToolRequest
from relayline.contracts.keys import call_scope, result_key
from relayline.journal.port import Journal


class ToolActivities:
    """The activities `call_tool` and `check_arguments`."""

    def __init__(  # noqa: PLR0913  what all calls of a worker share
        self,
        journal: Journal,
        tools: Mapping[str, Tool],
        suspects: Suspects | None = None,
        presence: Presence | None = None,
        *,
        stop_bound_s: float = STOP_BOUND_S,
        clean: Clean = str,
        threads: ToolThreads | None = None,
        servers: McpTools | None = None,
        secrets: Mapping[str, str] = MappingProxyType({}),
        images: ImageKeeper | None = None,
    ) -> None:
        self._journal = journal
        self._preparing = Preparing(tools, servers, clean)
        self._suspects = suspects or Suspects()
        self._presence = presence or Presence()
        self._shared = Shared(threads or ToolThreads(), stop_bound_s, clean, secrets, images)

    def problem(self) -> str | None:
        """Why this worker can run tools no more, None if it can; call it every second."""
        return self._shared.threads.problem()

    async def close(self) -> None:
        """Stop the resources of tools; call it when no call runs any more."""
        await self._shared.threads.resources.close()

    @activity.defn
    async def call_tool(self, request: ToolRequest) -> ToolOutcome:
        """Run one tool call and journal its end, once.

        A call that has ended is answered from the journal and never runs again. If the run cancels
        the call, the tool is cancelled and the journal says whether it stopped. If the call ends
        for another reason (the worker shuts down), the journal gets no end and the next attempt
        runs the tool.

        Raises:
            ApplicationError: the tool failed; non-retryable when its retries are used up or a
                retry can't help. Errors of the journal do not count as failures. `worker-lost`,
                final: the workers of earlier attempts have died; `suspect-waits`: see `Suspects`.
                `outcome-unknown`: another attempt has started an unsafe tool; the journal gets no
                end, and a person must say whether it ran.
            CancelledError: the run or the worker cancelled the call.
        """
        scope = call_scope(request.epoch, request.call.call_id, request.run)
        async with self._presence.at_work(request.run_id, scope) as holder:
            attempt = Attempt(self._journal, request.run_id, request.epoch, scope, holder)
            key = result_key(request.epoch, request.call.call_id)
            request, tool, asking = await self._preparing.call(attempt, request)
            call = OneCall(attempt, request, self._shared, asking)
            opened = self._suspects.begun(attempt, call.called, request.outbox, key)
            async with opened as begun:
                if ended := await attempt.get(key):
                    return recorded_outcome(request, ended)
                if asks := await asking.recorded():
                    return asks
                if begun.verdict:
                    await call.give_up(begun.verdict)
                return await call.run(tool)

    @activity.defn
    async def check_arguments(self, request: CheckRequest) -> CheckResult:
        """Check a person's arguments for the tool, without running it."""
        attempt = Attempt(self._journal, request.run_id, 0, "check")
        spec, tool = await self._preparing.check(attempt, request)
        if tool is None:
            return CheckResult(problem=f"this worker has no tool {spec.name!r}")
        try:
            work = partial(checked_arguments, spec, tool, request.arguments)
            await self._shared.threads.run_within(CHECK_BOUND_S, work)
        except ToolFailure as failure:
            return CheckResult(problem=self._shared.clean(str(failure)))
        return CheckResult()
