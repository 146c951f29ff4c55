"""The body of a fork."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from relayline.api.bodies import Body, Content, LabelKey, LabelValue, ModelName, RequestedLimits
from relayline.api.part_bodies import Parts
from relayline.api.setting_bodies import RequestedSettings

MAX_EDITS = 100
MAX_OUTPUT_CHARS = 256 * 1024
MAX_TOOLS = 200
_CallId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Tool = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class EditBody(Body):
    """Another result of a tool call."""

    call_id: _CallId
    """A call that ended before `from_step`, as `call_2_0`."""
    output: str = Field(max_length=MAX_OUTPUT_CHARS)
    """What it is said to have returned; at most 262,144 characters."""
    is_error: bool = False
    """true: it is said to have failed so."""


class ForkRequest(Body):
    """A run that begins with another's past."""

    from_step: int | None = Field(default=None, ge=1, le=10_000_000)
    """The first step that the fork does itself; all before it is taken over. One more than the last
    is possible once that has ended; absent: the newest that is possible."""
    edits: list[EditBody] | None = Field(default=None, max_length=MAX_EDITS)
    """Other results of tool calls; to change one, fork from the step after it."""
    message: Content | None = None
    """Follows the past, text or parts; needed where the model has answered. Texts have at most
    `RELAYLINE_MAX_INPUT_BYTES` bytes of UTF-8."""
    input: Content | None = None
    """Replaces the input, text or parts; only with `from_step` 1, which it implies."""
    agent: Literal["catalog"] | None = None
    """`catalog`: the agent as it is today; absent: as the run has it."""
    model: ModelName | None = None
    """Replaces the agent's model."""
    instructions: str | None = Field(default=None, max_length=65_536)
    """Replaces the agent's instructions."""
    tools: list[_Tool] | None = Field(default=None, max_length=MAX_TOOLS)
    """The names of the tools that the fork has: of those that the run's agent has, or today's agent
    of that name."""
    settings: RequestedSettings | None = None
    """On top of the agent's."""
    output_schema: dict[str, JsonValue] | None = None
    """JSON Schema of the answer, as in `POST /v1/runs`. Replaces the agent's."""
    limits: RequestedLimits | None = None
    """In place of the agent's; they count from the fork on."""
    metadata: dict[LabelKey, LabelValue] | None = None
    """Added to the run's; these win."""
    steps: int | None = Field(default=None, ge=1, le=10_000)
    """The fork ends after so many answers; tools that the last one asks for do not run."""

    @property
    def field(self) -> str:
        """Which of both says what the model is told."""
        return "message" if self.message else "input"

    @property
    def said(self) -> str | Parts | None:
        """What the model is told next."""
        return self.message or self.input
