"""The activity `call_model`: transcript → provider → deltas → message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import timedelta
from types import MappingProxyType
from typing import NoReturn

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from relayline.activities.attempt import Attempt, cancelled_by_run, uninterrupted
from relayline.activities.model.agents import Agents
from relayline.activities.model.answer import Answer, model_result
from relayline.activities.model.classified import failures_of, verdict_on
from relayline.activities.model.costs.pricing import Means, Pricing
from relayline.activities.model.deltas import DeltaWriter
from relayline.activities.model.port import ModelProvider, Prompt, QuotaSpent
from relayline.activities.model.slots import Slots
from relayline.activities.model.steps.earlier import (
    check_previous_step,
    recorded_message,
    supersede,
)
from relayline.activities.model.steps.listed import StepTools, Toolset
from relayline.activities.model.steps.past import Past, Pasts
from relayline.activities.model.structured.judging import judged, rejection_of
from relayline.activities.model.timing import in_time
from relayline.activities.model.window import Context
from relayline.activities.presence import Presence
from relayline.activities.suspects import Called, Suspects, worker_lost
from relayline.activities.tool.mcp.port import McpTools
from relayline.activities.tool.served.pinned import PinnedTools
from relayline.catalog.tools import Tool
from relayline.contracts.calls import MAX_CALLS_PER_STEP, ModelRequest, ModelResult
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    AttemptFailed,
    EventBody,
)
from relayline.contracts.keys import failure_key, message_key, rejected_key, spent_key, step_scope
from relayline.contracts.runs import AgentSpec, RunError
from relayline.journal.port import Journal

MAX_SUMMARY_FAILURES = 3
"""After so many failures of the provider in one step, a context is compacted without a summary."""
CLOSE_BOUND_S = 2.0
"""How long a provider's stream may take to close."""


class ModelActivities:
    """The activity `call_model`."""

    def __init__(  # noqa: PLR0913, PLR0917  the composition root's wires
        self,
        journal: Journal,
        providers: Callable[[str], ModelProvider],
        tools: Mapping[str, Tool] = MappingProxyType({}),
        suspects: Suspects | None = None,
        presence: Presence | None = None,
        means: Means | None = None,
        slots: Mapping[str, Slots] = MappingProxyType({}),
        servers: McpTools | None = None,
    ) -> None:
        self._journal = journal
        self._providers = providers
        self._tools = tools
        self._suspects = suspects or Suspects()
        self._presence = presence or Presence()
        self._slots = slots
        self._means = means or Means()
        self._agents = Agents()
        self._step_tools = StepTools(servers, PinnedTools())
        self._pasts = Pasts()

    @activity.defn
    async def call_model(self, request: ModelRequest) -> ModelResult:
        """Ask the model for its next message, and journal the deltas and the whole message.

        A message that is already in the journal is returned, and never paid for again. A context
        over the bound of the agent's policy is compacted first (see `window.py`). If the run
        cancels the call, the journal gets `message.interrupted` with the text so far. If the call
        ends for another reason (the worker shuts down, a heartbeat is lost), the journal gets
        nothing more; the next attempt supersedes the deltas of this one and starts over.

        Raises:
            ApplicationError: `unknown-model`, `bad-script`, `model-refused` and, for a quota of the
                tenant, `budget-exceeded` are final;
                `model-unavailable` is final at the eighth failure of the provider, or at the third
                if another model is to be asked; `empty-answer` at
                the third empty answer, and earlier ones are retried. A final one has the number of
                its attempt as detail. `journal-incomplete`, final:
                the previous step has no message. `attempt-behind`: Temporal counts attempts from 1
                again; a later one may be ahead. `worker-lost`, final: the workers of earlier
                attempts have died; `suspect-waits`: see `Suspects`; `slot-waits`: see
                `Slots`. The journal's errors are as in `Attempt`.
            CancelledError: the run or the worker cancelled the call.
        """
        scope = step_scope(request.epoch, request.step, request.tried)
        slots = self._slots.get(activity.info().task_queue)
        async with (
            self._presence.at_work(request.run_id, scope) as holder,
            slots.held() if slots else nullcontext(),
        ):
            attempt = Attempt(self._journal, request.run_id, request.epoch, scope, holder)
            key = message_key(request.epoch, request.step)
            opened = self._suspects.begun(attempt, Called(request.step), request.outbox, key)
            async with opened as begun:
                past = await self._pasts.of(attempt, request.epoch, begun.facts)
                facts, agent = past.facts, self._agents.of(request, past.stored, past.facts)
                if answered := await recorded_message(key, facts):
                    toolset = await self._step_tools.pinned(agent, facts)
                    rejection = rejection_of(facts, request.epoch, request.step)
                    return await model_result(answered, toolset, self._tools, rejection)
                if begun.verdict:
                    raise worker_lost(begun.verdict)
                check_previous_step(request.step, facts)
                if request.tried or not begun.first:
                    await supersede(attempt, request, facts)
                call = _Call(attempt, request, agent, past, self._means, self._step_tools)
                return await call.run(self._providers, self._tools)


class _Call:
    """One attempt of one call."""

    def __init__(  # noqa: PLR0913, PLR0917  what an attempt works with
        self,
        attempt: Attempt,
        request: ModelRequest,
        agent: AgentSpec,
        past: Past,
        means: Means,
        step_tools: StepTools,
    ) -> None:
        self._attempt = attempt
        self._scope = attempt.scope
        self._request = request
        self._facts = facts = past.facts
        self._agent = agent
        self._step_tools = step_tools
        self._toolset = Toolset(agent)
        self._pricing = Pricing(means, agent, facts)
        self._context = Context(attempt, request, agent, past, self._pricing)
        self._answer = Answer()
        self._writer = DeltaWriter(attempt, request.step, means.pace)

    async def run(
        self, providers: Callable[[str], ModelProvider], tools: Mapping[str, Tool]
    ) -> ModelResult:
        """Stream the answer into the journal; complete it, interrupt it, or record the failure."""
        reading = asyncio.create_task(self._read(providers))
        try:
            await asyncio.wait({reading, self._writer.task}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await self._writer.task  # it ended first, because the journal refused a delta
            if error := reading.exception():
                await self._fail(error)
            return await uninterrupted(self._complete(tools))
        except asyncio.CancelledError:
            await uninterrupted(self._interrupt(reading))
            raise
        finally:
            self._writer.abort()
            if not reading.done():
                await uninterrupted(_stop(reading))

    async def _read(self, providers: Callable[[str], ModelProvider]) -> None:
        agent, provider = self._agent, providers(self._agent.model)
        await self._pricing.check()
        given = (self._attempt, self._request, agent, self._facts)
        self._toolset = await self._step_tools.of(*given)
        may_retry = len(failures_of(self._facts, self._request.step)) + 1 < MAX_SUMMARY_FAILURES
        prompt = Prompt(
            model=agent.model,
            instructions=agent.instructions,
            messages=await self._context.messages(provider, may_retry=may_retry),
            tools=self._toolset.agent.tools,
            attempt=self._attempt.number,
            think_tags=agent.think_tags,
            tenant=self._request.tenant,
            output_schema=agent.output_schema,
            run_id=self._request.run_id,
            settings=agent.settings,
        )
        async with in_time(prompt):
            await self._answer.receive(provider, prompt, self._writer)

    async def _complete(self, tools: Mapping[str, Tool]) -> ModelResult:
        if len(self._answer.calls) > MAX_CALLS_PER_STEP:
            activity.logger.warning(
                "tool calls left out", extra={"asked_for": len(self._answer.calls)}
            )
        body = await self._pricing.message(await self._answer.completed(self._request.step))
        body = body.model_copy(update={"usage": body.usage + self._context.unbilled})
        body, rejection = await judged(body, self._agent, self._facts)
        told = [self._event(body, self._message_key)]
        key = rejected_key(self._request.epoch, self._request.step)
        told += [self._event(rejection, key)] if rejection else []
        await self._writer.close(*told)
        return await model_result(body, self._toolset, tools, rejection)

    async def _interrupt(self, reading: asyncio.Task[None]) -> None:
        """Journal the text so far if the run itself has cancelled the call.

        If the journal refuses, the run closes the step later.
        """
        await _stop(reading)
        if not await cancelled_by_run():
            return
        try:
            await self._writer.close()
            body = await self._pricing.message(self._answer.interrupted())
            await self._attempt.append(self._event(body, self._message_key))
        except ApplicationError as error:
            activity.logger.warning("interrupted text not journaled", extra={"reason": error.type})

    async def _fail(self, error: BaseException) -> NoReturn:
        """Journal the failure if the call will be retried, and raise it for Temporal."""
        if isinstance(error, ApplicationError):
            raise error  # an error of the journal during a compaction
        if finish := self._answer.finish:
            await self._pricing.usage(finish.usage)  # an empty answer is paid for, too
        request = self._request
        it = verdict_on(error, failures_of(self._facts, request.step), spare=request.spare)
        failed = AttemptFailed(
            error=RunError(type=it.kind, message=it.message, step=request.step),
            retry_in_s=it.retry_s,
        )
        told = [] if it.final else [self._event(failed, failure_key(self._scope, it.number))]
        if isinstance(error, QuotaSpent):
            told.append(self._event(error.fact, spent_key(self._scope)))
        await self._writer.close(*told)
        raise ApplicationError(
            it.message,
            self._attempt.number,
            type=it.kind,
            non_retryable=it.final,
            next_retry_delay=timedelta(seconds=it.retry_s),
            category=ApplicationErrorCategory.BENIGN,
        ).with_traceback(error.__traceback__) from None  # the cause may contain redacted text

    @property
    def _message_key(self) -> str:
        return message_key(self._request.epoch, self._request.step)

    def _event(self, body: EventBody, key: str) -> NewEvent:
        return NewEvent(body=body, step=self._request.step, attempt=self._attempt.number, key=key)


async def _stop(reading: asyncio.Task[None]) -> None:
    """Close the provider's stream; waits at most `CLOSE_BOUND_S`."""
    reading.cancel()
    await asyncio.wait({reading}, timeout=CLOSE_BOUND_S)
    if reading.done() and not reading.cancelled() and (error := reading.exception()):
        activity.logger.debug("a stream ended badly", extra={"error": type(error).__name__})
