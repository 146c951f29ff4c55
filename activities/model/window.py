"""What a model is told in one step, and how it is kept within its bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from relayline.activities.attempt import Attempt
from relayline.activities.model.compaction import Cut, cut, estimated_tokens
from relayline.activities.model.port import ModelProvider
from relayline.activities.model.summary import Summary, summarised
from relayline.activities.threads import aside
from relayline.contracts.calls import ModelRequest
from relayline.contracts.compaction import KeepLast, Summarise
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import ContextCompacted
from relayline.contracts.keys import compacted_key
from relayline.contracts.messages import Message, OmittedMessages, Usage
from relayline.projections.projection import fold
from relayline.projections.transcript import (
    Transcript,
    Turn,
    Unbilled,
    flat,
    shortened,
    transcript,
)


class Context:
    """What one attempt of a model call tells the model of the run so far.

    A context that exceeds the bound of the agent's policy is compacted first. What is left out is
    a fact, journaled before the model is called: every later attempt and step builds on it, and a
    summary that stands is never paid for again.
    """

    def __init__(
        self, attempt: Attempt, request: ModelRequest, facts: Sequence[StoredEvent]
    ) -> None:
        self._attempt = attempt
        self._request = request
        self._facts = facts
        self.owed = fold(Unbilled(), facts).usage
        """Of summaries since the newest whole answer: the next one has it in its own usage."""

    async def messages(self, provider: ModelProvider, *, patient: bool) -> tuple[Message, ...]:
        """What to tell the model.

        Args:
            provider: Whom to ask for a summary.
            patient: As in `summarised`.

        Raises:
            ApplicationError: the journal's errors, as in `Attempt`.
            ProviderError: no summary, and a retry may help.
            UnknownModel: as the provider says.
            BadScript: as the provider says.
        """
        request, policy = self._request, self._request.agent.compaction
        data = [fact.data for fact in self._facts]
        if policy is None:
            return await aside(partial(transcript, self._facts), data)
        key = compacted_key(request.epoch, request.step)
        said, now, parts = await aside(partial(_parted, self._facts, key, policy), data)
        if parts is None:
            return flat(now)
        summary = Summary("", Usage())
        if isinstance(policy, Summarise):
            told = flat(parts.left_out)
            model = request.agent.model
            summary = await summarised(provider, model, policy, told, patient=patient)
        body = await aside(partial(_fact, said, now, parts, policy, summary), data)
        event = NewEvent(body=body, step=request.step, attempt=self._attempt.number, key=key)
        # what was paid for is kept, also when a command comes at this moment
        await asyncio.shield(self._attempt.append(event))
        self.owed += body.usage
        return flat(shortened(said, body))


def _parted(
    facts: Sequence[StoredEvent], key: str, policy: KeepLast | Summarise
) -> tuple[Sequence[Turn], Sequence[Turn], Cut | None]:
    """What was said, what the model is told of it now, and what of that to leave out, if any."""
    told = fold(Transcript(), facts)
    said = told.turns
    now = shortened(said, told.compacted)
    decided = any(fact.key == key for fact in facts)
    return said, now, None if decided else cut(now, policy)


def _fact(
    said: Sequence[Turn],
    now: Sequence[Turn],
    parts: Cut,
    policy: KeepLast | Summarise,
    summary: Summary,
) -> ContextCompacted:
    """The decision as it is journaled; without a new summary an earlier one goes on standing."""
    body = ContextCompacted(
        kind=policy.kind if summary.reason is None else "keep_last",
        kept_from=parts.tail[0].seq,
        kept=tuple(turn.seq for turn in parts.kept),
        left_out=len(flat(turn for turn in parts.left_out if turn.seq)),
        summary=summary.text or _standing(parts),
        before_tokens=estimated_tokens(flat(now)),
        usage=summary.usage,
        reason=summary.reason,
    )
    after_tokens = estimated_tokens(flat(shortened(said, body)))
    return body.model_copy(update={"after_tokens": after_tokens})


def _standing(parts: Cut) -> str:
    """The summary of what was left out before."""
    messages = flat(parts.left_out)
    return next((it.summary for it in messages if isinstance(it, OmittedMessages)), "")
