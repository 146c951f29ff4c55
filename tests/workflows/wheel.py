"""The pure parts of steering put together as a run does it, with every fact kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from relayline.contracts.commands import AnyCommand
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import CommandApplied, CommandRefused, EventBody
from relayline.contracts.runs import Limits
from relayline.workflows.facts import Facts
from relayline.workflows.gates import Gate
from relayline.workflows.outbox import PendingFacts
from relayline.workflows.state import RunState
from relayline.workflows.steering import Steering

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


class AllFacts(PendingFacts):
    """Keeps every fact that was ever added, those too whose key was there."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[NewEvent] = []

    def add(self, *facts: NewEvent) -> None:
        """As in `PendingFacts`."""
        self.added += facts
        super().add(*facts)


class Wheel:
    """The steering of one run, with nothing around it."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.state = RunState(started_at=NOW, limits=limits or Limits(), step=1)
        self.pending = AllFacts()
        self.steering = Steering(self.state, self.pending, Facts(0))

    @property
    def types(self) -> list[str]:
        """The types of the facts, in order."""
        return [fact.body.type for fact in self.pending.added]

    def bodies(self, key: str) -> list[EventBody]:
        """The bodies of all facts that were added under that key."""
        return [fact.body for fact in self.pending.added if fact.key == key]

    def outcomes(self, command_id: str) -> list[EventBody]:
        """What the command came to; one at most, if all is well."""
        return self.bodies(f"command/{command_id}/outcome")

    def send(self, *commands: AnyCommand) -> None:
        """The commands come in and are noted."""
        for command in commands:
            self.steering.inbox.put(command)
        self.steering.acknowledge(NOW)

    def applied(self, command_id: str) -> str:
        """What the command did; it was applied."""
        [body] = self.outcomes(command_id)
        assert isinstance(body, CommandApplied), body
        return body.applied

    def refused(self, command_id: str) -> str:
        """Why the command was refused; it was."""
        [body] = self.outcomes(command_id)
        assert isinstance(body, CommandRefused), body
        return body.reason

    def approval(self, id_: str = "approval_1_0") -> Gate:
        """An open approval."""
        return self.steering.gates.open(Gate(id_, "approval", "pay(amount=5)"))

    def question(self, *choices: str) -> Gate:
        """An open question."""
        return self.steering.gates.open(
            Gate("input_1_0", "question", "Which one?", choices=choices)
        )

    def outcome(self) -> Gate:
        """An open question what became of an unsafe tool."""
        return self.steering.gates.open(Gate("outcome_1_0_1", "outcome", "outcome unknown: pay()"))
