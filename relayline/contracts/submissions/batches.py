"""Batches: many runs submitted in one call, as they are stored, started and shown."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field, JsonValue

from relayline.contracts.access.proofs import BATCH_CANCEL, digest_of
from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import AgentSpec, RunStatus

SUBMISSIONS_QUEUE = "relayline-submissions"
"""The task queue of what starts runs: batches and the times of schedules. A flood of runs does not
delay it."""
BATCH_ID_PATTERN = r"^batch_[0-9a-f]{32}$"
"""A batch's id is also the id of its Temporal workflow."""
MAX_BATCH_RUNS = 1000
MAX_BATCH_BYTES = 16 * 1024 * 1024
"""The largest body of a batch."""
CHUNK = 100
"""Runs of a batch that are told of, or cancelled, at a time."""
START_PAGE = 250
"""Pending starts that are read at a time."""


class AcceptedRun(Frozen):
    """A run of a batch that will start."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    """Its place in `runs` of the request, from 0."""
    run_id: str


class RejectedRun(Frozen):
    """A run of a batch that can't start; the others are not affected."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    """Its place in `runs` of the request, from 0."""
    problem: dict[str, JsonValue]
    """The problem document that `POST /v1/runs` would have answered."""


class StoredBatch(Frozen):
    """A batch, as the journal stores it."""

    batch_id: str = Field(pattern=BATCH_ID_PATTERN)
    tenant: str
    """Whose batch it is: that of its runs; of several, nobody's own."""
    request_sha256: str
    """Digest of the request: distinguishes a repeated `Idempotency-Key` from a reused one."""
    created_at: datetime
    accepted: tuple[AcceptedRun, ...] = ()
    rejected: tuple[RejectedRun, ...] = ()
    agents: dict[str, AgentSpec] = Field(default_factory=dict)
    """The agents of its runs, by digest."""


class BatchLinks(Frozen):
    """Where to find more of a batch; paths are relative to this server."""

    self: str
    runs: str
    cancel: str


class BatchAccepted(Frozen):
    """The receipt of a batch."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    batch_id: str
    accepted: tuple[AcceptedRun, ...]
    """The runs that will start, whatever process dies."""
    rejected: tuple[RejectedRun, ...]
    """The runs that can't start, each with the reason."""
    links: BatchLinks


class BatchView(Frozen):
    """How far a batch is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    batch_id: str
    created_at: datetime
    ended: bool
    """True once every accepted run has ended."""
    accepted: int
    """Runs that were accepted."""
    rejected: tuple[RejectedRun, ...]
    total: int
    """Accepted runs that have not been erased."""
    by_status: dict[RunStatus, int]
    """Statuses without a run are left out."""
    links: BatchLinks


class BatchListItem(Frozen):
    """A batch in a list."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    batch_id: str
    created_at: datetime
    ended: bool
    """True once every accepted run has ended."""
    accepted: int
    """Runs that were accepted."""
    rejected: int
    """Runs that were not."""
    total: int
    """Accepted runs that have not been erased."""
    by_status: dict[RunStatus, int]
    """Statuses without a run are left out."""
    links: BatchLinks


class BatchList(Frozen):
    """One page of batches, newest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    batches: tuple[BatchListItem, ...]
    cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class BatchRequested(Frozen):
    """The argument of the workflow of a batch, and of the activity that starts some of its runs."""

    batch_id: str


class ChunkStarted(Frozen):
    """What that activity has done."""

    left: bool
    """True while runs of the batch are still to be started."""


class BatchCancel(Frozen):
    """The cancel of a batch: every run that has not ended gets this command."""

    command_id: str
    by: str = ""
    on_behalf_of: str = ""
    reason: str = ""
    proof: str = ""
    """What proves who sent it: that of `digest`, for the batch."""

    def digest(self) -> str:
        """Of all the other fields."""
        fields = self.model_dump(mode="json", exclude={"proof"}, exclude_defaults=True)
        return digest_of(BATCH_CANCEL, fields)


class ChunkCancel(Frozen):
    """The request to cancel some of the runs of a batch."""

    batch_id: str
    cancel: BatchCancel
    before: tuple[int, str] | None = None
    """The place in the list of runs after which to continue; None: at its top."""


class ChunkCancelled(Frozen):
    """What has been cancelled of a batch."""

    left: bool
    """True while runs of the batch may still have to be cancelled."""
    before: tuple[int, str] | None = None
    """Where to continue in the list of runs."""
