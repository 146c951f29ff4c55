"""A run: what it is given, where it stands, what it comes to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.compaction import Compaction
from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage

TASK_QUEUE = "relayline"
"""The task queue of workflows, tools and records."""
MODELS_QUEUE = "models"
"""Model calls are in the task queues `models-{provider}`, so that one provider's trouble keeps
nobody else's calls waiting."""
RUN_ID_PATTERN = r"^run_[0-9a-z]{16,64}$"
"""A run's id is also its Temporal workflow id."""
DEFAULT_TENANT = "default"


class RunStatus(StrEnum):
    """Where a run stands, as clients see it."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    TERMINATED = "terminated"

    @property
    def ended(self) -> bool:
        """True for the five states that a run never leaves."""
        return self in TERMINAL


TERMINAL = frozenset(
    {
        RunStatus.COMPLETED,
        RunStatus.FAILED,
        RunStatus.CANCELLED,
        RunStatus.TIMED_OUT,
        RunStatus.TERMINATED,
    }
)


class Limits(Frozen):
    """The budget of one run; what happens when any of it is used up, `on_limit` says."""

    max_steps: int = Field(default=50, ge=1, le=10_000)
    """Model calls."""
    max_tool_calls: int = Field(default=200, ge=0, le=100_000)
    max_tokens: int = Field(default=2_000_000, ge=1)
    """Input and output tokens of all model calls together."""
    max_wall_s: float = Field(default=3600, gt=0, le=30 * 86_400)
    """Seconds that the run may be at work; while it is paused or waits for a person, none pass."""
    on_limit: Literal["fail", "ask"] = "fail"
    """`fail`: the run ends as `failed`; `ask`: it waits for an approval that raises the limit."""


class ApprovalRule(Frozen):
    """A predicate on a call's arguments, as data."""

    when: dict[str, JsonValue]
    """JSON Schema: a call whose arguments fit it needs approval."""


class ToolSpec(Frozen):
    """What is known of a tool without its code; pinned into the run."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")
    description: str = ""
    """Told to the model."""
    parameters: dict[str, JsonValue] = Field(default={"type": "object"})
    """JSON Schema of the arguments, `type: object`."""
    timeout_s: float = Field(default=30, gt=0, le=86_400)
    """How long one attempt may take."""
    retries: int = Field(default=2, ge=0, le=20)
    """Further attempts after the tool raised; a crash of the worker does not count."""
    effects: Literal["safe", "unsafe"] = "safe"
    """`unsafe`: claimed before it runs and never run twice."""
    approval: Literal["never", "always"] | ApprovalRule = "never"
    """Which calls a person has to approve before they run."""
    approval_timeout_s: float = Field(default=86_400, gt=0, le=30 * 86_400)
    """How long a person has to decide; undecided means denied."""
    asks: bool = False
    """True: the call is a question for a person, whose answer is its result; nothing runs."""


class AgentSpec(Frozen):
    """An agent as data; pinned into the run's input, so a later catalog never alters a run."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")
    instructions: str = Field(default="", max_length=65_536)
    """The system prompt."""
    model: str
    """`rehearsal`, `local` or `provider:name`."""
    tools: tuple[ToolSpec, ...] = ()
    limits: Limits = Limits()
    compaction: Compaction | None = None
    """What becomes of a context that has grown too long; None: the model is told everything."""

    def tool(self, name: str) -> ToolSpec | None:
        """The spec of that tool, None if this agent does not have it."""
        return next((spec for spec in self.tools if spec.name == name), None)


class RunError(Frozen):
    """Why a run, or the newest attempt of one of its calls, failed."""

    type: str
    message: str
    step: int | None = None


class Carried(Frozen):
    """What a run takes along when it goes on in a new execution, with a fresh history.

    That happens between two steps only: nothing runs, nothing is open, all that was decided is in
    the journal.
    """

    started_at: datetime
    limits: Limits
    """As approvals have raised them."""
    step: int = 0
    tool_calls: int = 0
    usage: Usage = Usage()
    preview: str = ""
    last_error: RunError | None = None
    misfit_steps: int = 0
    epoch: int = 0
    known: tuple[str, ...] = ()
    """Keys of the newest facts, for the case that an operator resets the run."""
    worked_s: float = 0
    """Seconds at work so far."""
    paused: bool = False
    budgets: int = 0
    """Times that a limit was reached."""
    waits: int = 0
    """Times that the run has begun to wait for a person."""
    seen: tuple[str, ...] = ()
    """Ids of the newest commands: the same id again is the same command."""


class RunInput(Frozen):
    """The one argument of the workflow."""

    run_id: str = Field(pattern=RUN_ID_PATTERN)
    agent: AgentSpec
    """Model and limits of the request are merged in already."""
    input: str
    metadata: dict[str, str] = Field(default_factory=dict)
    tenant: str = DEFAULT_TENANT
    request_sha256: str = ""
    """Digest of the submitted request: tells a repeated `Idempotency-Key` from a reused one."""
    history_bound: int = 8000
    """Events of history after which the run goes on in a new execution, or sooner if Temporal
    suggests it."""
    carried: Carried | None = None
    """Set when the run has gone on in a new execution."""


class Phase(StrEnum):
    """What the workflow is doing right now."""

    STARTING = "starting"
    MODEL = "model"
    TOOLS = "tools"
    WAITING = "waiting"
    """Nothing runs; a person has to decide or to answer."""
    PAUSED = "paused"
    ENDING = "ending"
    ENDED = "ended"


class Waiting(Frozen):
    """Something that a person has to do before the run goes on."""

    kind: Literal["resume", "approval", "input"]
    id: str | None = None
    """The approval or request to answer."""
    what: str = ""
    """One line for people."""


class RunProgress(Frozen):
    """The answer of the `progress` query: bounded, whatever the length of the run."""

    run_id: str
    agent: str
    model: str
    status: RunStatus
    step: int = 0
    """The newest step begun; 0 before the first."""
    phase: Phase = Phase.STARTING
    waiting_for: tuple[Waiting, ...] = ()
    tool_calls: int = 0
    """Tool calls begun so far."""
    running_tools: tuple[str, ...] = ()
    """`name` of each call under way, at most 16."""
    usage: Usage = Usage()
    limits: Limits = Limits()
    started_at: datetime | None = None
    last_error: RunError | None = None


class RunMemo(Frozen):
    """What stands in the workflow's memo: readable with no worker up, also after the end."""

    status: RunStatus = RunStatus.QUEUED
    step: int = 0
    usage: Usage = Usage()
    waiting_for: tuple[Waiting, ...] = ()
    last_error: RunError | None = None


FIRST_STEP = RunMemo(status=RunStatus.RUNNING, step=1)
"""What an untouched memo means once the search attribute says `running`.

The workflow leaves the memo alone at its first step: the first words of a run wait for nothing
that can be told without it.
"""


class RunResult(Frozen):
    """What the workflow returns; the whole output is in the journal."""

    status: RunStatus
    preview: str = ""
    """The first 500 characters of the output."""
    usage: Usage = Usage()
    steps: int = 0


MEMO_PROGRESS = "progress"
"""Memo key of `RunMemo`."""
MEMO_REQUEST = "request"
"""Memo key of `RunRequestMemo`."""


class RunRequestMemo(Frozen):
    """What was asked for, in the memo from the start on."""

    agent: str
    model: str
    limits: Limits = Limits()
    request_sha256: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    created_at: datetime | None = None
    """When the run was submitted; its execution may have begun later."""


SEARCH_STATUS = "RunStatus"
SEARCH_AGENT = "AgentName"
SEARCH_TENANT = "Tenant"
"""Search attributes, each a Keyword; register them once per namespace."""
