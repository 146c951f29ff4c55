"""The past that a run begins with: that of another run, or one that it was given."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.files.parts import Part
from relayline.contracts.frozen import Frozen


class ForkedFrom(Frozen):
    """Where a fork begins in the run that it is a fork of."""

    run_id: str
    step: int
    """The first step that the fork does itself."""
    seq: int
    """The newest event of that run which belongs to the fork's past."""


class ResultEdit(Frozen):
    """What a tool call of the past is said to have returned."""

    call_id: str
    output: str
    is_error: bool = False


class EditedResult(Frozen):
    """A result that is another one in the fork."""

    call_id: str
    """The tool call, as in `tool_calls` of `message.completed`."""
    before: str
    """What the model was told in the run that this one is a fork of."""
    after: str
    """What it is told here."""


class Said(Frozen):
    """A message of a past that was given."""

    role: Literal["user", "assistant"]
    content: str
    """The text of it."""
    parts: tuple[Part, ...] = Field(default=(), exclude_if=operator.not_)
    """All of it, if it is more than a text; only what a user says."""


class Past(Frozen):
    """What a run begins with and has not done itself."""

    run_id: str | None = None
    """The run whose past it is; None: that of `history`."""
    seq: int = 0
    """The newest event of that run which belongs to it."""
    step: int = 1
    """The first step that the run does itself."""
    turn: int = 1
    """The turn with which the run begins, if it is open."""
    asks: bool = True
    """True: the input is a message that follows the past. False: it is only the run's title."""
    edits: tuple[ResultEdit, ...] = ()
    history: tuple[Said, ...] = ()
    """Oldest first; only without `run_id`."""
    changed: dict[str, JsonValue] = Field(default_factory=dict)
    """What is not as in that run: fields of its agent, with their new values."""
    steps: int | None = None
    """The run ends after so many answers of its own, whatever they ask for; None: no such end."""

    @property
    def source(self) -> ForkedFrom | None:
        """Where the fork begins; None if the run is no fork."""
        if self.run_id is None:
            return None
        return ForkedFrom(run_id=self.run_id, step=self.step, seq=self.seq)

    def ends_at(self, step: int) -> bool:
        """True if the run ends with the answer of that step."""
        return self.steps is not None and step - self.step + 1 >= self.steps

    def carried(self) -> Past:
        """As a further execution needs it: without what the journal has."""
        return self.model_copy(update={"edits": (), "history": (), "changed": {}})
