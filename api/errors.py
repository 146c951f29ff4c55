"""Errors of the HTTP face; `problems` turns them into documents.

ApiError                   each becomes an RFC 9457 document of its own type
├── BadRequest             malformed: cursor, header, query
├── CursorAhead            the cursor is beyond the newest event
├── UnknownRun             neither Temporal nor the journal knows the run
│   └── ErasedRun          it was erased; what is not a read gets `RunGone`
├── RunGone                the run was erased, and its id is not given again
├── TenantGone             the tenant's key was erased: nothing is accepted for it
├── UnknownCommand         the run has had no command with that id
├── UnknownApproval        the run has no approval with that id
├── UnknownBatch           there is no batch with that id
├── UnknownSchedule        there is no schedule with that id
├── ScheduleExists         there is another schedule with that id
├── UnknownRequest         the run has no question with that id
├── UnknownWebhook         the tenant has no webhook with that id
├── UnknownDelivery        the tenant has no delivery with that id
├── RunExpired             the run's events are past retention
├── Conflict               the command comes too late
│   ├── AlreadyEnded       the run has ended
│   ├── StillOpen          the run has not ended
│   ├── ApprovalClosed     the approval is closed; says who decided what and when
│   ├── RequestClosed      the question is closed; says how, by whom and when
│   └── WebhookDisabled    the receiver is told nothing until it is enabled
├── TooLarge               a size limit, named with its value
├── InvalidField           a field of the request, named
├── UnsupportedMediaType   a body without a JSON content type
├── KeyReused              the Idempotency-Key was used with another body
├── TooManyStreams         open streams per client address
├── TooManyCommands        the run has had too many commands in its step
└── TemporalUnavailable    Temporal did not answer in time; subclasses are in `temporal/`

Those of connections are in `serving/refusals.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue

RETRY_AFTER = {"Retry-After": "1"}
"""Headers of an error that a retry may get past."""


class ApiError(Exception):
    """Base: status, stable type and title are on the class, the rest is on the instance."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "The server failed"
    headers: ClassVar[Mapping[str, str]] = {}
    retry_after_s: int | None = None
    """Seconds after which a retry may get past, where only the case itself tells."""

    def __init__(self, detail: str, *, slug: str | None = None, **members: JsonValue) -> None:
        super().__init__(detail)
        self.detail = detail
        self.type = slug or self.slug
        self.members = members
        """Extra members of the document: `field`, `limit`, `known`, `oldest`, …"""


class BadRequest(ApiError):
    """Malformed: a cursor, a header, a query parameter, JSON."""

    status = 400
    slug = "bad-request"
    title = "The request is malformed"


class CursorAhead(ApiError):
    """The cursor is beyond the newest event."""

    status = 400
    slug = "cursor-ahead"
    title = "The cursor is ahead of the journal"


class UnknownRun(ApiError):
    """Neither Temporal nor the journal knows the run."""

    status = 404
    slug = "unknown-run"
    title = "There is no such run"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run {run_id[:100]!r}", run_id=run_id[:100])


class ErasedRun(UnknownRun):
    """The run was erased: whoever reads it learns what is told of a run that never was."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


class RunGone(ApiError):
    """The run was erased; neither its id nor its `Idempotency-Key` starts another."""

    status = 410
    slug = "run-erased"
    title = "The run was erased"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"{run_id} was erased", run_id=run_id)


class TenantGone(ApiError):
    """The key of the tenant was erased, or is being erased: nothing is accepted for it."""

    status = 410
    slug = "tenant-erased"
    title = "The tenant was erased"

    def __init__(self, tenant: str) -> None:
        super().__init__(f"the key of tenant {tenant!r} was erased: use another", tenant=tenant)


class UnknownCommand(ApiError):
    """The run has had no command with that id."""

    status = 404
    slug = "unknown-command"
    title = "There is no such command"


class UnknownApproval(ApiError):
    """The run has no approval with that id."""

    status = 404
    slug = "unknown-approval"
    title = "There is no such approval"


class UnknownRequest(ApiError):
    """The run has no question with that id."""

    status = 404
    slug = "unknown-request"
    title = "There is no such question"


class UnknownWebhook(ApiError):
    """The tenant has no webhook with that id."""

    status = 404
    slug = "unknown-webhook"
    title = "There is no such webhook"

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"no webhook {webhook_id[:100]!r}")


class UnknownDelivery(ApiError):
    """The tenant has no delivery with that id."""

    status = 404
    slug = "unknown-delivery"
    title = "There is no such delivery"

    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"no delivery {delivery_id[:100]!r}")


class UnknownBatch(ApiError):
    """There is no batch with that id."""

    status = 404
    slug = "unknown-batch"
    title = "There is no such batch"


class UnknownSchedule(ApiError):
    """There is no schedule with that id."""

    status = 404
    slug = "unknown-schedule"
    title = "There is no such schedule"

    def __init__(self, schedule_id: str) -> None:
        super().__init__(f"no schedule {schedule_id[:100]!r}", schedule_id=schedule_id[:100])


class ScheduleExists(ApiError):
    """There is another schedule with that id; `field` is a member."""

    status = 409
    slug = "schedule-exists"
    title = "There is a schedule with that id"


class RunExpired(ApiError):
    """The run's events are past retention and Temporal has forgotten it."""

    status = 410
    slug = "run-expired"
    title = "The run is past retention"


class Conflict(ApiError):
    """The command comes too late and has no effect."""

    status = 409


class AlreadyEnded(Conflict):
    """The run has ended."""

    slug = "run-ended"
    title = "The run has ended"


class StillOpen(Conflict):
    """The run has not ended; `run_status` is a member."""

    slug = "run-open"
    title = "The run has not ended"


class ApprovalClosed(Conflict):
    """The approval is closed; `decision`, `by` and `at` are members."""

    slug = "approval-resolved"
    title = "The approval is closed"


class RequestClosed(Conflict):
    """The question is closed; `how`, `by` and `at` are members."""

    slug = "request-closed"
    title = "The question is closed"


class WebhookDisabled(Conflict):
    """The receiver is told nothing until it is enabled; `webhook_id` is a member."""

    slug = "webhook-disabled"
    title = "The webhook is disabled"


class TooLarge(ApiError):
    """A size limit; `field` and `limit` are members."""

    status = 413
    slug = "too-large"
    title = "The request is too large"


class InvalidField(ApiError):
    """A field of the request; `field` is a member."""

    status = 422
    slug = "invalid-field"
    title = "The request can't be accepted"


class UnsupportedMediaType(ApiError):
    """A body without a JSON content type."""

    status = 415
    slug = "unsupported-media-type"
    title = "The body must be JSON"


class KeyReused(ApiError):
    """The Idempotency-Key was used with another body."""

    status = 422
    slug = "idempotency-key-reused"
    title = "The Idempotency-Key was used before with another request"


class TooManyStreams(ApiError):
    """Open streams per client address."""

    status = 429
    slug = "too-many-streams"
    title = "Too many open streams"
    headers = RETRY_AFTER


class TooManyCommands(ApiError):
    """The run accepts no more commands in this step: it has had too many, or too long ones."""

    status = 429
    slug = "too-many-commands"
    title = "The run has had too many commands"


class TemporalUnavailable(ApiError):
    """Temporal did not answer in time; try again."""

    status = 503
    slug = "temporal-unavailable"
    title = "Temporal does not answer"
    headers = RETRY_AFTER
