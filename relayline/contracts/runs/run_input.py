"""What the workflow of a run is given, and what it returns."""

from __future__ import annotations

import operator
from datetime import datetime

from pydantic import Field

from relayline.contracts.files.parts import Part
from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage
from relayline.contracts.runs.figures import Carried
from relayline.contracts.runs.past import ForkedFrom, Past
from relayline.contracts.runs.spec import AgentSpec, Limits
from relayline.contracts.runs.status import RunStatus

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


class ParentCall(Frozen):
    """The call that has started a run."""

    run_id: str
    call_id: str
    root: str
    """The run at the top of the tree."""


class RunInput(Frozen):
    """The argument of the workflow."""

    run_id: str = Field(pattern=RUN_ID_PATTERN)
    agent: AgentSpec
    """With the model and limits of the request merged in."""
    input: str
    """The text of it."""
    parts: tuple[Part, ...] = Field(default=(), exclude_if=operator.not_)
    """All of it, if it is more than a text."""
    metadata: dict[str, str] = Field(default_factory=dict)
    tenant: str = DEFAULT_TENANT
    by: str = ""
    """Who submitted it, as the credentials say; then its commands need proofs of their senders."""
    user: str = Field(default="", exclude_if=operator.not_)
    """For whom it works, as the request says, else as the credentials say."""
    webhook: str | None = None
    """The receiver that the request names, by its id."""
    request_sha256: str = ""
    """Digest of the submitted request: distinguishes a repeated `Idempotency-Key` from a reused
    one."""
    agents: dict[str, AgentSpec] = Field(default_factory=dict, exclude_if=operator.not_)
    """The agents that it may ask, and those that these may ask, by name."""
    parent: ParentCall | None = Field(default=None, exclude_if=operator.not_)
    """Set for a run that another one has started."""
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
    idle_s: float | None = None
    """Set for an open run: it ends when it has been idle for so many seconds. None: it ends with
    its first turn."""
    history_bound: int = 8000
    """Length of the history, in events, at which the run continues as new; earlier if Temporal
    suggests it."""
    past: Past | None = None
    """What it begins with; None: with its input."""
    carried: Carried | None = None
    """Set when the run has continued as new."""

    @property
    def first_turn(self) -> int | None:
        """The turn that its input begins or joins; None in a run that is not open."""
        if self.idle_s is None:
            return None
        return self.past.turn if self.past else 1

    def ends_at(self, step: int) -> bool:
        """True of a fork that was asked for no more answers than up to that step."""
        return self.past is not None and self.past.ends_at(step)

    def continued(self, carried: Carried) -> RunInput:
        """The argument of its next execution."""
        past = self.past.carried() if self.past else None
        return self.model_copy(update={"carried": carried, "past": past})


class RunRequestMemo(Frozen):
    """The request, in the memo from the start."""

    agent: str
    model: str
    limits: Limits = Limits()
    request_sha256: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    user: str = Field(default="", exclude_if=operator.not_)
    """For whom it works."""
    parent: str | None = Field(default=None, exclude_if=operator.not_)
    """The run that has started it."""
    root: str | None = Field(default=None, exclude_if=operator.not_)
    """The run at the top of the tree, if another run has started it."""
    created_at: datetime | None = None
    """When the run was submitted; its execution may have started later."""
    start_at: datetime | None = None
    """When it starts, if that is later than its submission."""
    forked_from: ForkedFrom | None = None
    """Where it begins in another run; None: it is no fork."""


class RunResult(Frozen):
    """What the workflow returns; the whole output is in the journal."""

    status: RunStatus
    preview: str = ""
    """The first 500 characters of the output."""
    usage: Usage = Usage()
    steps: int = 0
