"""A run: its input, its state as others see it, and its result."""

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
"""Model calls use the task queues `models-{provider}`, so that problems of one provider do not
delay calls to the others."""
RUN_ID_PATTERN = r"^run_[0-9a-z]{16,64}$"
"""A run's id is also its Temporal workflow id."""
DEFAULT_TENANT = "default"
MIDDLE_PRIORITY = 3
"""The priority of a run that was given none."""


class RunStatus(StrEnum):
    """The status of a run, as clients see it."""

    SCHEDULED = "scheduled"
    """Accepted; it starts later."""
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
        """True for the five final states."""
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


def _is_none(value: object) -> bool:
    return value is None


class Limits(Frozen):
    """The budget of one run; `on_limit` says what happens when a limit is reached."""

    max_steps: int = Field(default=50, ge=1, le=10_000)
    """Model calls."""
    max_tool_calls: int = Field(default=200, ge=0, le=100_000)
    """Tool calls; retries of a call do not count."""
    max_tokens: int = Field(default=2_000_000, ge=1)
    """Input and output tokens of all model calls together."""
    max_cost: float | None = Field(default=None, gt=0, le=1_000_000, exclude_if=_is_none)
    """US dollars that all model calls together may cost; the model must have a known price."""
    max_wall_s: float = Field(default=3600, gt=0, le=30 * 86_400)
    """Seconds of work; time in a pause or waiting for a person does not count."""
    on_limit: Literal["fail", "ask"] = "fail"
    """`fail`: the run ends as `failed`; `ask`: it waits for an approval that raises the limit."""


class ApprovalRule(Frozen):
    """A condition on a call's arguments."""

    when: dict[str, JsonValue]
    """JSON Schema; a call whose arguments match it needs approval."""


class ToolSpec(Frozen):
    """A tool as data, without its code; pinned into the run's input."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")
    description: str = ""
    """For the model."""
    parameters: dict[str, JsonValue] = Field(default={"type": "object"})
    """JSON Schema of the arguments, `type: object`."""
    timeout_s: float = Field(default=30, gt=0, le=86_400)
    """The longest that one attempt may take."""
    retries: int = Field(default=2, ge=0, le=20)
    """Retries after the tool raised an error; a crash of the worker does not count."""
    effects: Literal["safe", "unsafe"] = "safe"
    """`unsafe`: an attempt claims the call before it runs, and it never runs twice."""
    approval: Literal["never", "always"] | ApprovalRule = "never"
    """Which calls a person must approve before they run."""
    approval_timeout_s: float = Field(default=86_400, gt=0, le=30 * 86_400)
    """How long a person has to decide; after that the call is denied."""
    asks: bool = False
    """True: the call is a question; the person's answer is its result and no tool runs."""


class AgentSpec(Frozen):
    """An agent as data; pinned into the run's input, so a new catalog never changes a run."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")
    instructions: str = Field(default="", max_length=65_536)
    """The system prompt."""
    model: str
    """`rehearsal`, `local` or `provider:name`."""
    tools: tuple[ToolSpec, ...] = ()
    limits: Limits = Limits()
    compaction: Compaction | None = None
    """How to shorten a long context; None: the model always sees everything."""
    retention_days: float | None = Field(default=None, gt=0, le=36_500)
    """Days after its end after which a run of this agent is erased; None: the setting's alone."""
    think_tags: bool = False
    """True: the model's text begins with reasoning between `<think>` and `</think>`."""

    def tool(self, name: str) -> ToolSpec | None:
        """The tool with that name, None if this agent does not have it."""
        return next((spec for spec in self.tools if spec.name == name), None)


class RunError(Frozen):
    """Why a run, or the newest attempt of one of its calls, failed."""

    type: str
    """An error type, such as `model-refused`."""
    message: str
    """One line for people."""
    step: int | None = None
    """The step in which it happened."""


class Carried(Frozen):
    """What a run keeps when it continues as new.

    That happens only between two steps: nothing runs, nothing is open, and the journal has every
    decision.
    """

    started_at: datetime
    limits: Limits
    """With raises by approvals."""
    step: int = 0
    tool_calls: int = 0
    usage: Usage = Usage()
    preview: str = ""
    last_error: RunError | None = None
    misfit_steps: int = 0
    epoch: int = 0
    known: tuple[str, ...] = ()
    """Keys of the newest facts, in case an operator resets the run."""
    worked_s: float = 0
    """Seconds at work so far."""
    paused: bool = False
    budgets: int = 0
    """How many times a limit was reached."""
    waits: int = 0
    """How many times the run has started to wait for a person."""
    seen: tuple[str, ...] = ()
    """Ids of the newest commands, for deduplication."""


class RunInput(Frozen):
    """The argument of the workflow."""

    run_id: str = Field(pattern=RUN_ID_PATTERN)
    agent: AgentSpec
    """With the model and limits of the request merged in."""
    input: str
    metadata: dict[str, str] = Field(default_factory=dict)
    tenant: str = DEFAULT_TENANT
    by: str = ""
    """Who submitted it, as the credentials say; then its commands need proofs of their senders."""
    webhook: str | None = None
    """The receiver that the request names, by its id."""
    request_sha256: str = ""
    """Digest of the submitted request: distinguishes a repeated `Idempotency-Key` from a reused
    one."""
    batch: str | None = None
    """The batch with which it was submitted."""
    start_at: datetime | None = None
    """When it starts, if that is later than its submission."""
    priority: int = Field(default=MIDDLE_PRIORITY, ge=1, le=5)
    """1 is served first, 5 last."""
    fairness_key: str | None = None
    """Runs with the same key share their part of the workers; None: those of the tenant do."""
    retention_days: float | None = None
    """The run is erased so many days after its end; None: without a retention of its own."""
    history_bound: int = 8000
    """Length of the history, in events, at which the run continues as new; earlier if Temporal
    suggests it."""
    carried: Carried | None = None
    """Set when the run has continued as new."""


class Phase(StrEnum):
    """What the workflow is doing."""

    STARTING = "starting"
    MODEL = "model"
    TOOLS = "tools"
    WAITING = "waiting"
    """Nothing runs; the run waits for a decision or an answer."""
    PAUSED = "paused"
    ENDING = "ending"
    ENDED = "ended"


class Waiting(Frozen):
    """Something that a person must do before the run continues."""

    kind: Literal["resume", "approval", "input"]
    """What it takes: the command `resume`, a decision or an answer."""
    id: str | None = None
    """The approval or request to answer."""
    what: str = ""
    """One line for people."""


class RunProgress(Frozen):
    """The answer of the `progress` query; its size is bounded, whatever the run's length."""

    run_id: str
    agent: str
    model: str
    status: RunStatus
    step: int = 0
    """The newest step that has started; 0 before the first."""
    phase: Phase = Phase.STARTING
    waiting_for: tuple[Waiting, ...] = ()
    tool_calls: int = 0
    """Tool calls that have started."""
    running_tools: tuple[str, ...] = ()
    """Name of each running tool call, at most 16."""
    usage: Usage = Usage()
    limits: Limits = Limits()
    started_at: datetime | None = None
    last_error: RunError | None = None


class RunMemo(Frozen):
    """The workflow's memo: readable when no worker is up, and after the end."""

    status: RunStatus = RunStatus.QUEUED
    step: int = 0
    usage: Usage = Usage()
    waiting_for: tuple[Waiting, ...] = ()
    last_error: RunError | None = None


FIRST_STEP = RunMemo(status=RunStatus.RUNNING, step=1)
"""The meaning of an unset memo once the search attribute says `running`.

The workflow does not write the memo in its first step: that would delay the run's first words.
"""


class RunResult(Frozen):
    """What the workflow returns; the whole output is in the journal."""

    status: RunStatus
    preview: str = ""
    """The first 500 characters of the output."""
    usage: Usage = Usage()
    steps: int = 0


MEMO_PROGRESS = "progress"
"""Memo key of `RunMemo`; the memo is missing until the run first sets it, and it is `queued`."""
MEMO_REQUEST = "request"
"""Memo key of `RunRequestMemo`."""


class RunRequestMemo(Frozen):
    """The request, in the memo from the start."""

    agent: str
    model: str
    limits: Limits = Limits()
    request_sha256: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    created_at: datetime | None = None
    """When the run was submitted; its execution may have started later."""
    start_at: datetime | None = None
    """When it starts, if that is later than its submission."""


SEARCH_STATUS = "RunStatus"
SEARCH_AGENT = "AgentName"
SEARCH_TENANT = "Tenant"
"""Search attributes of type Keyword; register each once per namespace."""
