"""Fills in an agent's instructions, with what the journal has recorded and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from relayline.activities.whose.run import whose
from relayline.catalog.templates import LABEL, filled
from relayline.contracts.envelope import StoredEvent, moment
from relayline.contracts.events import StepStarted, UserMessageEvent
from relayline.contracts.runs import AgentSpec

_GIVEN = ("run.queued", "run.started")


def instructed(agent: AgentSpec, tenant: str, step: int, facts: Sequence[StoredEvent]) -> AgentSpec:
    """The agent with its instructions filled in, if they are a template.

    Every step and attempt of one turn gets the same: `{date}` is the day, in UTC, on which the turn
    began, as the journal says.

    Args:
        agent: The agent of the step.
        tenant: Whose run it is.
        step: The step.
        facts: The run's facts that count, oldest first.
    """
    if not agent.template:
        return agent
    given = next((fact for kind in _GIVEN for fact in facts if fact.type == kind), None)
    of = whose(tenant, given)
    values = {"tenant": of.tenant, "user": of.user, "agent": agent.name}
    values |= {f"{LABEL}{key}": value for key, value in of.metadata.items()}
    if began := _began(step, facts):
        values["date"] = moment(began.at_us).date().isoformat()
    return agent.model_copy(update={"instructions": filled(agent.instructions, values)})


def _began(step: int, facts: Sequence[StoredEvent]) -> StoredEvent | None:
    """The fact with which the turn of that step began; the start of a run that has no turns."""
    turn = None
    for fact in facts:
        if fact.type == "step.started" and fact.step == step:
            body = fact.body()
            turn = body.turn if isinstance(body, StepStarted) else None
    if turn is not None:
        for fact in facts:
            said = fact.body() if fact.type == "message.user" else None
            if isinstance(said, UserMessageEvent) and said.turn == turn:
                return fact
    started = (fact for fact in facts if fact.type == "run.started")
    return next(started, next(iter(facts), None))
