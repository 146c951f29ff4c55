"""Request and response bodies of the HTTP face."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from relayline.contracts.commands import MAX_BY_CHARS, MAX_ID_CHARS, MAX_TEXT_BYTES, CommandKind
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, Phase, RunError, RunStatus, Waiting

_Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Value = Annotated[str, StringConstraints(max_length=512)]
_CommandId = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9_.:-]{{1,{MAX_ID_CHARS}}}$")]


def _bounded_text(text: str) -> str:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise PydanticCustomError("too_long", "at most {limit} bytes", {"limit": MAX_TEXT_BYTES})
    return text


def _bounded_json(given: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """As it is; what JSON can't say, such as NaN, is a ValueError."""
    _bounded_text(json.dumps(given, ensure_ascii=False, allow_nan=False))
    return given


_Text = Annotated[str, AfterValidator(_bounded_text)]
_Arguments = Annotated[dict[str, JsonValue], AfterValidator(_bounded_json)]


class _Request(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class RequestedLimits(Limits):
    """Limits of one run; those not given are the agent's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RunRequest(_Request):
    """A run to be started."""

    agent: str = Field(max_length=64)
    """One of `GET /v1/agents`."""
    input: str = Field(min_length=1)
    """What the person says; at most `RELAYLINE_MAX_INPUT_BYTES` in UTF-8."""
    model: str | None = None
    """In place of the agent's own: `rehearsal`, `local` or `provider:name`."""
    limits: RequestedLimits | None = None
    metadata: dict[_Key, _Value] | None = None
    """The caller's own labels; `tenant` is searchable in Temporal, and has at most 255 characters,
    none of which is a control character."""
    webhook: SkipJsonSchema[JsonValue] = None
    """Not offered by this version: anything but null is refused."""


class CommandRequest(_Request):
    """What goes with any command."""

    command_id: _CommandId | None = None
    """The receipt's id; the same id twice is one command. Made up if it is not given."""
    by: str = Field(default="", max_length=MAX_BY_CHARS)
    """Who sends it; shown in the events."""


class PauseRequest(CommandRequest):
    """What goes with a pause."""

    now: bool = False
    """Interrupt what runs, too; tools with unsafe effects are let finish."""


class RedirectRequest(CommandRequest):
    """What goes with a redirect."""

    message: _Text
    """What the model is told; at most 32 KiB in UTF-8."""
    now: bool = True
    """Interrupt what runs, but let tools with unsafe effects finish; false: wait for the step."""


class CancelRequest(CommandRequest):
    """What goes with a cancel."""

    reason: _Text = ""
    """At most 32 KiB in UTF-8."""


class DecisionRequest(CommandRequest):
    """What a person makes of an approval."""

    decision: Literal["approve", "deny"]
    arguments: _Arguments | None = None
    """In place of the model's, and checked like them; only with `approve`, at most 32 KiB."""
    note: _Text = ""
    """For the model and the record; at most 32 KiB in UTF-8."""


class AnswerRequest(CommandRequest):
    """An answer to a question that the run has asked."""

    request_id: str
    text: _Text
    """At most 32 KiB in UTF-8; has to fit the question's schema, if it has one."""


class Links(_Answer):
    """Where more of a run is found; paths are relative to this server."""

    self: str
    events: str
    progress: str
    temporal_ui: str | None = None


class RunAccepted(_Answer):
    """The receipt of a submitted run."""

    run_id: str
    status: RunStatus
    links: Links


class RunView(_Answer):
    """A run as far as its sources tell."""

    run_id: str
    agent: str | None
    model: str | None = None
    status: RunStatus
    output: str | None = None
    """The last message, whole; null unless completed."""
    error: RunError | None = None
    usage: Usage = Usage()
    step: int = 0
    waiting_for: tuple[Waiting, ...] = ()
    attention: str | None = None
    """What keeps an open run from going on: `workflow task failing` (its code fails, as after a
    bad deployment), `no worker`, `no worker for …` (tools, or a provider's calls), `activity
    paused` (an operator holds a call in Temporal); null when nothing is known to."""
    limits: Limits | None = None
    metadata: dict[str, str] | None = None
    """null where the source does not have it."""
    created_at: datetime | None = None
    ended_at: datetime | None = None
    source: Literal["temporal", "journal"] = "temporal"
    """`journal`: read from the events, because the run has ended or Temporal does not answer."""
    links: Links


class RunListItem(_Answer):
    """A run in a list."""

    run_id: str
    agent: str | None
    model: str | None = None
    status: RunStatus
    step: int = 0
    waiting_for: tuple[Waiting, ...] = ()
    attention: str | None = None
    """As in the run itself."""
    created_at: datetime
    ended_at: datetime | None = None
    links: Links


class RunList(_Answer):
    """One page of runs, newest first."""

    runs: tuple[RunListItem, ...]
    cursor: str | None
    """Give it as `cursor` for the next page; null on the last."""


class ProgressView(_Answer):
    """Where a run stands now."""

    run_id: str
    source: Literal["query", "memo", "journal"]
    """`query`: the workflow answered; `memo`: no worker did; `journal`: the run has ended or
    Temporal does not answer."""
    agent: str | None = None
    model: str | None = None
    status: RunStatus
    step: int = 0
    phase: Phase | None = None
    """null unless the workflow answered."""
    waiting_for: tuple[Waiting, ...] = ()
    attention: str | None = None
    """As in the run itself; null when the workflow answered."""
    tool_calls: int | None = None
    running_tools: tuple[str, ...] = ()
    usage: Usage = Usage()
    limits: Limits | None = None
    started_at: datetime | None = None
    last_error: RunError | None = None


class CommandReceipt(_Answer):
    """The receipt of a command."""

    command_id: str


class CommandView(_Answer):
    """What became of a command."""

    command_id: str
    run_id: str
    kind: CommandKind | None = None
    state: Literal["accepted", "applied", "refused"]
    step: int | None = None
    """The step at which it was applied or refused."""
    reason: str | None = None
    """Why it was refused."""
    applied: str | None = None
    """What it did."""


class AgentView(_Answer):
    """An agent that can be run."""

    name: str
    model: str
    tools: tuple[str, ...]
    limits: Limits


class AgentList(_Answer):
    """The agents of this server."""

    agents: tuple[AgentView, ...]


class Health(_Answer):
    """`ok`, or what is missing."""

    status: Literal["ok", "unavailable"]
    parts: dict[str, str] = Field(default_factory=dict)
    """`ok` or the trouble, by part: `journal`, `temporal`, `namespace`."""
    lacking: dict[str, str] = Field(default_factory=dict)
    """Kinds of work that new runs wait for: `runs`, `models`, `tools`, and why. Runs are accepted
    all the same: it does not make the server unready."""


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
