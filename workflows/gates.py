"""Gates: approvals and questions that a run waits for, and how each was closed. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import JsonValue

from relayline.contracts.commands import Answer, AnyCommand, Decide, Decision
from relayline.contracts.runs import Waiting
from relayline.projections.words import How, closed
from relayline.workflows.limits.excess import Excess

_OUTCOME = re.compile(
    r"\s*(?:(happened)\b:?\s*(.*)|((?:did not happen, )?run it)|(stop))\s*", re.DOTALL
)
OUTCOME_SCHEMA: dict[str, JsonValue] = {
    "type": "string",
    "pattern": r"^\s*(happened\b|run it\s*$|did not happen, run it\s*$|stop\s*$)",
}
"""JSON Schema of the answers to the question about the outcome of an unsafe tool."""
RAISE_PARAMETERS: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"raise_to": {"type": "number"}},
    "required": ["raise_to"],
}
"""JSON Schema of the arguments of an approval that raises a limit."""


class Origin(NamedTuple):
    """Where the command came from that a fact tells of, besides its sender's names."""

    proof: str = ""
    """As in the command."""
    verified: bool = True
    """As in the command."""
    key_id: str = ""
    """As in a decision."""


NOBODY = Origin()
"""Of what no command has caused."""


def origin_of(command: AnyCommand) -> Origin:
    """Where it came from."""
    key_id = command.key_id if isinstance(command, Decide) else ""
    return Origin(command.proof, command.verified, key_id)


class Verdict(NamedTuple):
    """How an approval or a question was closed."""

    how: How
    by: str
    at: datetime
    text: str = ""
    """The answer, or the note of a decision."""
    arguments: dict[str, JsonValue] | None = None
    """Arguments that replace the model's."""
    on_behalf_of: str = ""
    """As in the command that closed it."""
    origin: Origin = NOBODY

    def of(self, id_: str) -> str:
        """`approval_1_0 was denied by ann at 2026-03-01T12:00:00Z`."""
        return closed(id_, self.how, self.by, self.at)


@dataclass
class Gate:
    """A decision or an answer that a call, or the budget, waits for."""

    id: str
    kind: Literal["approval", "outcome", "question", "budget"]
    what: str
    """One line for people."""
    expires_at: datetime | None = None
    choices: tuple[str, ...] = ()
    """The only valid answers to a question; empty: any text."""
    excess: Excess | None = None
    """For a budget: the limit that an approval raises."""
    checking: Decide | None = None
    """The decision whose edited arguments are being checked."""
    verdict: Verdict | None = None

    @property
    def waiting(self) -> Waiting:
        """The gate in progress and memo."""
        approval = self.kind in {"approval", "budget"}
        return Waiting(kind="approval" if approval else "input", id=self.id, what=self.what)


class Gates:
    """The gates of one run, open and closed."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def open(self, gate: Gate) -> Gate:
        """Add an open gate."""
        self._gates[gate.id] = gate
        return gate

    def forget(self, gate: Gate) -> None:
        """Remove a gate that is opened again under another id."""
        del self._gates[gate.id]

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """The open gates, oldest first."""
        return tuple(gate.waiting for gate in self._gates.values() if gate.verdict is None)

    def for_decision(self, command: Decide) -> Gate | str:
        """The open approval that the command decides, or why it can't."""
        gate = self._gates.get(command.approval_id)
        if gate is None or gate.kind not in {"approval", "budget"}:
            return f"approval_id: this run has no approval {command.approval_id[:100]!r}"
        if gate.verdict:
            return gate.verdict.of(gate.id)
        if gate.checking:
            return f"{gate.id} is being decided by {gate.checking.by or 'somebody else'}"
        return gate

    def for_answer(self, command: Answer) -> Gate | str:
        """The open question that the command answers, or why it can't."""
        gate = self._gates.get(command.request_id)
        if gate is None or gate.kind not in {"question", "outcome"}:
            return f"request_id: this run has no question {command.request_id[:100]!r}"
        if gate.verdict:
            return gate.verdict.of(gate.id)
        if gate.kind == "outcome" and outcome(command.text) is None:
            return "text: answer `happened: <result>`, `run it` or `stop`"
        if gate.choices and command.text not in gate.choices:
            return f"text: answer one of {', '.join(map(repr, gate.choices))}"
        return gate


class Outcome(NamedTuple):
    """What a person says about the outcome of an unsafe tool."""

    what: Literal["happened", "run", "stop"]
    result: str = ""


def outcome(text: str) -> Outcome | None:
    """Parse the answer `happened: <result>`, `run it` or `stop`; None for any other text."""
    match = _OUTCOME.fullmatch(text)
    if match is None:
        return None
    happened, result, run, _ = match.groups()
    if happened:
        return Outcome("happened", result.strip())
    return Outcome("run") if run else Outcome("stop")


def decided(command: Decide, at: datetime) -> Verdict:
    """The verdict of a decision."""
    how: How = "approve" if command.decision == Decision.APPROVE else "deny"
    names = (command.on_behalf_of, origin_of(command))
    return Verdict(how, command.by, at, command.note, command.arguments, *names)
