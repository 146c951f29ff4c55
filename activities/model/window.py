"""The context window: what a model sees in one step, compacted if it is too long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from relayline.activities.attempt import Attempt
from relayline.activities.model.compaction import Cut, cut, estimated_tokens
from relayline.activities.model.costs.pricing import Pricing
from relayline.activities.model.port import ModelProvider
from relayline.activities.model.steps.past import Past
from relayline.activities.model.summary import Summary, summarised
from relayline.activities.threads import in_thread
from relayline.contracts.calls import ModelRequest
from relayline.contracts.compaction import KeepLast, Summarise
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ContextCompacted
from relayline.contracts.keys import compacted_key
from relayline.contracts.messages import Message, OmittedMessages, Usage
from relayline.contracts.runs import AgentSpec
from relayline.projections.said import Turn
from relayline.projections.transcript import flat, shortened

_READ = 16
"""So many facts that were read for an earlier step cost about as much as a new one."""


class Context:
    """The context of one attempt of a model call.

    A context that exceeds the bound of the agent's policy is compacted first. The compaction is a
    fact, journaled before the model call: all later attempts and steps use it, and nobody pays for
    the same summary twice.
    """

    def __init__(
        self,
        attempt: Attempt,
        request: ModelRequest,
        agent: AgentSpec,
        past: Past,
        pricing: Pricing,
    ) -> None:
        self._attempt = attempt
        self._request = request
        self._agent = agent
        self._past = past
        self._pricing = pricing
        self.unbilled = past.unbilled.usage
        """Usage of summaries and interrupted answers since the newest whole answer, which the next
        one includes."""

    async def messages(self, provider: ModelProvider, *, may_retry: bool) -> tuple[Message, ...]:
        """The messages for the model, after a compaction if one is due.

        Args:
            provider: The provider to ask for a summary.
            may_retry: As in `summarised`.

        Raises:
            ApplicationError: the journal's errors, as in `Attempt`.
            ProviderError: there is no summary, and a retry may help.
            UnknownModel: raised by the provider.
            BadScript: raised by the provider.
        """
        request, policy = self._request, self._agent.compaction
        past = self._past
        unread = (fact.data for fact in past.told.unread)
        data = [*unread, *(it.type for it in past.facts[::_READ])]
        if policy is None:
            return await in_thread(lambda: past.told.messages, data)
        key = compacted_key(request.epoch, request.step)
        history, visible, parts = await in_thread(partial(_divided, past, key, policy), data)
        if parts is None:
            return flat(visible)
        summary = Summary("", Usage())
        if isinstance(policy, Summarise):
            left_out = flat(parts.left_out)
            asked = (provider, self._agent.model, policy, left_out)
            summary = await summarised(*asked, tenant=request.tenant, may_retry=may_retry)
            summary = summary._replace(usage=await self._pricing.usage(summary.usage))
        body = await in_thread(partial(_fact, history, visible, parts, policy, summary), data)
        event = NewEvent(body=body, step=request.step, attempt=self._attempt.number, key=key)
        # shielded, because the summary is paid for: a cancellation must not lose it
        await asyncio.shield(self._attempt.append(event))
        self.unbilled += body.usage
        return flat(shortened(history, body))


def _divided(
    past: Past, key: str, policy: KeepLast | Summarise
) -> tuple[Sequence[Turn], Sequence[Turn], Cut | None]:
    """All turns, the turns that the model sees now, and what to leave out of these, if any."""
    history = past.told.turns
    visible = shortened(history, past.told.compacted)
    decided = any(fact.key == key for fact in reversed(past.facts))
    return history, visible, None if decided else cut(visible, policy)


def _fact(
    history: Sequence[Turn],
    visible: Sequence[Turn],
    parts: Cut,
    policy: KeepLast | Summarise,
    summary: Summary,
) -> ContextCompacted:
    """The compaction as an event; without a new summary it keeps the earlier one."""
    body = ContextCompacted(
        kind=policy.kind if summary.reason is None else "keep_last",
        kept_from=parts.tail[0].seq,
        kept=tuple(turn.seq for turn in parts.kept),
        left_out=len(flat(turn for turn in parts.left_out if turn.seq)),
        summary=summary.text or _standing(parts),
        before_tokens=estimated_tokens(flat(visible)),
        usage=summary.usage,
        reason=summary.reason,
    )
    after_tokens = estimated_tokens(flat(shortened(history, body)))
    return body.model_copy(update={"after_tokens": after_tokens})


def _standing(parts: Cut) -> str:
    """The earlier summary, empty if there is none."""
    messages = flat(parts.left_out)
    return next((it.summary for it in messages if isinstance(it, OmittedMessages)), "")
