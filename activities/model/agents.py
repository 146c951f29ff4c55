"""The agents of runs: in the request of a model call, or in the run's journal by digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from temporalio.exceptions import ApplicationError

from relayline.activities.whose.instructions import instructed
from relayline.contracts.calls import ModelRequest
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AgentPinned
from relayline.contracts.keys import agent_key
from relayline.contracts.runs import AgentSpec

MAX_KNOWN = 256
"""Agents that a worker remembers."""
PINNED = "agent.pinned"


class Agents:
    """Finds the agent of a model call."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, AgentSpec] = OrderedDict()

    def of(
        self,
        request: ModelRequest,
        stored: Iterable[StoredEvent],
        facts: Sequence[StoredEvent] = (),
    ) -> AgentSpec:
        """The agent of the call, with the model that it asks and its instructions filled in.

        Args:
            request: Of the call.
            stored: All facts of the run, also those that a reset made void.
            facts: Those that count.

        Raises:
            ApplicationError: `journal-incomplete`, final: the journal has no such agent.
        """
        agent = request.agent or self._by_digest(request.agent_sha256, stored)
        if request.model:
            agent = agent.model_copy(update={"model": request.model})
        return instructed(agent, request.tenant, request.step, facts)

    def _by_digest(self, digest: str, facts: Iterable[StoredEvent]) -> AgentSpec:
        agent = self._known.pop(digest, None) or _pinned(digest, facts)
        self._known[digest] = agent
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return agent


def _pinned(digest: str, facts: Iterable[StoredEvent]) -> AgentSpec:
    key = agent_key(digest)
    body = next((fact.body() for fact in facts if fact.key == key), None)
    if not isinstance(body, AgentPinned):
        raise ApplicationError(
            f"the journal does not have the run's agent, with the digest {digest!r}: was it "
            "restored from an older backup than Temporal's?",
            type=ErrorType.JOURNAL_INCOMPLETE,
            non_retryable=True,
        )
    return AgentSpec.model_validate(body.spec)
