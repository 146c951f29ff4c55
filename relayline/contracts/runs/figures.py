"""The figures of a run, and the forms in which they leave its workflow."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage
from relayline.contracts.runs.spec import Limits
from relayline.contracts.runs.status import Phase, RunError, RunStatus, TurnStatus, Waiting


class RunFigures(Frozen):
    """What a run has come to, as every form of its state tells it."""

    step: int = 0
    """The newest step that has started; 0 before the first."""
    usage: Usage = Usage()
    """Of all steps that have ended."""
    child_usage: Usage = Field(default=Usage(), exclude_if=lambda usage: usage == Usage())
    """Of the runs below it that have ended; not a part of `usage`, and left out if there is none.
    """
    last_error: RunError | None = None


class WorkFigures(RunFigures):
    """The same beside what the run may still use."""

    tool_calls: int = 0
    """Tool calls that have started."""
    limits: Limits = Limits()
    """The current ones: an approval may have raised them."""
    started_at: datetime | None = None
    turn: int = 1
    """The newest turn; a run that is not open has only one."""


class KeptFigures(WorkFigures):
    """The same with what only the workflow needs; all of it outlives an execution."""

    turn_status: TurnStatus | None = None
    """How the newest turn of an open run ended; None while it runs."""
    turn_ended_at: datetime | None = None
    turn_usage: Usage | None = None
    """Of the newest turn; None in the first, whose usage is that of the run."""
    earlier_steps: int = 0
    """Steps before the newest turn, from whose beginning limits count."""
    earlier_calls: int = 0
    """Tool calls before it."""
    turn_child_usage: Usage = Usage()
    """The part of `child_usage` that is of the newest turn."""
    preview: str = ""
    """The beginning of the newest answer."""
    model_index: int = 0
    """Which of the agent's `candidates` the newest turn asks."""
    misfit_steps: int = 0
    """The latest steps in a row in which no call could run as the model asked for it."""
    budgets: int = 0
    """How many times a limit was reached."""
    waits: int = 0
    """How many times the run has started to wait for a person."""


class Standing(Frozen):
    """Where a run stands."""

    status: RunStatus = RunStatus.QUEUED
    waiting_for: tuple[Waiting, ...] = ()


class Carried(KeptFigures):
    """What a run keeps when it continues as new.

    That happens only between two steps: nothing runs, nothing is open, and the journal has every
    decision.
    """

    epoch: int = 0
    known: tuple[str, ...] = ()
    """Keys of the newest facts, in case an operator resets the run."""
    worked_s: float = 0
    """Seconds at work so far."""
    paused: bool = False
    seen: tuple[str, ...] = ()
    """Ids of the newest commands, for deduplication."""


class RunProgress(WorkFigures, Standing):
    """The answer of the `progress` query; its size is bounded, whatever the run's length."""

    run_id: str
    agent: str
    model: str
    phase: Phase = Phase.STARTING
    running_tools: tuple[str, ...] = ()
    """Name of each running tool call, at most 16."""


class RunMemo(RunFigures, Standing):
    """The workflow's memo: readable when no worker is up, and after the end."""


FIRST_STEP = RunMemo(status=RunStatus.RUNNING, step=1)
"""The meaning of an unset memo once the search attribute says `running`.

The workflow does not write the memo in its first step: that would delay the run's first words.
"""

MEMO_PROGRESS = "progress"
"""Memo key of `RunMemo`; the memo is missing until the run first sets it, and it is `queued`."""
MEMO_REQUEST = "request"
"""Memo key of `RunRequestMemo`."""

SEARCH_STATUS = "RunStatus"
SEARCH_AGENT = "AgentName"
SEARCH_TENANT = "Tenant"
"""Search attributes of type Keyword; register each once per namespace."""
