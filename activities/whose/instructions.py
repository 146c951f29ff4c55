"""Fills in an agent's instructions, with what the journal has recorded and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from relayline.activities.whose.run import whose
from relayline.catalog.templates import LABEL, filled
from relayline.contracts.envelope import StoredEvent, moment
from relayline.contracts.runs import AgentSpec
from relayline.projections.projection import data_of

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
    newest_first = (it for it in reversed(facts) if it.type == "step.started" and it.step == step)
    newest = next(newest_first, None)
    turn = data_of(newest).get("turn") if newest else None
    began = _first_said(turn, facts) if isinstance(turn, int) else None
    started = (fact for fact in facts if fact.type == "run.started")
    return began or next(started, next(iter(facts), None))


def _first_said(turn: int, facts: Sequence[StoredEvent]) -> StoredEvent | None:
    """The first message of that turn; only the newest turns are looked at."""
    first = None
    for fact in reversed(facts):
        said_in = data_of(fact).get("turn") if fact.type == "message.user" else None
        if said_in == turn:
            first = fact
        elif isinstance(said_in, int) and said_in < turn:
            break
    return first
