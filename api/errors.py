"""Errors of the HTTP face and the one table that turns exceptions into problem documents.

ApiError                   each becomes an RFC 9457 document of its own type
├── BadRequest             malformed: cursor, header, query
├── CursorAhead            the cursor is beyond the newest event
├── UnknownRun             neither Temporal nor the journal knows the run
├── UnknownCommand         no command of that id was sent to the run
├── UnknownApproval        the run has asked for no approval of that id
├── UnknownRequest         the run has asked no question of that id
├── RunExpired             the run's events are past retention
├── Conflict               the command comes too late
│   ├── AlreadyEnded       the run has ended
│   ├── ApprovalClosed     the approval is open no more; says who decided what and when
│   └── RequestClosed      the question is open no more; says how, by whom and when
├── TooLarge               a size limit, named with its value
├── InvalidField           a field of the request, named
├── UnsupportedMediaType   a body that does not say it is JSON
├── KeyReused              the Idempotency-Key was used with another body
├── TooManyStreams         open streams per client address
└── TemporalUnavailable    Temporal did not answer in time; one kind: `temporal/namespace.py`
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from relayline.contracts.answers import Problem
from relayline.journal.port import CursorExpired, JournalUnavailable

PROBLEM_JSON = "application/problem+json"
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {
        "description": "A problem document (RFC 9457); `type` is `urn:relayline:problem:…`",
        "content": {PROBLEM_JSON: {"schema": Problem.model_json_schema()}},
    }
    for code in ("4XX", "422", "5XX")
}
"""What OpenAPI says of errors; 422 is named so that the framework's own does not appear."""
_RETRY_AFTER = {"Retry-After": "1"}
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """Base: status, stable type and title stand on the class, the rest on the instance."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "The server failed"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str, *, slug: str | None = None, **members: JsonValue) -> None:
        super().__init__(detail)
        self.detail = detail
        self.type = slug or self.slug
        self.members = members
        """Further members of the document: `field`, `limit`, `known`, `oldest`, …"""


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


class UnknownCommand(ApiError):
    """No command of that id was sent to the run."""

    status = 404
    slug = "unknown-command"
    title = "There is no such command"


class UnknownApproval(ApiError):
    """The run has asked for no approval of that id."""

    status = 404
    slug = "unknown-approval"
    title = "There is no such approval"


class UnknownRequest(ApiError):
    """The run has asked no question of that id."""

    status = 404
    slug = "unknown-request"
    title = "There is no such question"


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


class ApprovalClosed(Conflict):
    """The approval is open no more; `decision`, `by` and `at` are members."""

    slug = "approval-resolved"
    title = "The approval is open no more"


class RequestClosed(Conflict):
    """The question is open no more; `how`, `by` and `at` are members."""

    slug = "request-closed"
    title = "The question is open no more"


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
    """A body that does not say it is JSON."""

    status = 415
    slug = "unsupported-media-type"
    title = "The body has to be JSON"


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
    headers = _RETRY_AFTER


class TemporalUnavailable(ApiError):
    """Temporal did not answer in time; try again."""

    status = 503
    slug = "temporal-unavailable"
    title = "Temporal does not answer"
    headers = _RETRY_AFTER


def problem(
    status: int,
    what: tuple[str, str, str],
    members: Mapping[str, JsonValue] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An RFC 9457 document.

    Args:
        status: The HTTP status.
        what: The slug in `type` (`urn:relayline:problem:{slug}`), the title, the detail.
        members: Further members of the document.
        headers: Further headers.
    """
    slug, title, detail = what
    document = {
        "type": f"urn:relayline:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        **(members or {}),
    }
    return JSONResponse(document, status, headers, media_type=PROBLEM_JSON)


def install(app: FastAPI) -> None:
    """Register the table."""
    app.exception_handler(ApiError)(_api_error)
    app.exception_handler(CursorExpired)(_cursor_expired)
    app.exception_handler(JournalUnavailable)(_journal_unavailable)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_unhandled)


async def _api_error(_: Request, error: ApiError) -> Response:
    what = (error.type, error.title, error.detail)
    return problem(error.status, what, error.members, error.headers)


async def _cursor_expired(_: Request, error: CursorExpired) -> Response:
    what = (
        "cursor-expired",
        "The events after the cursor are past retention",
        f"the oldest event kept has seq {error.oldest}; start again with after={error.oldest - 1}",
    )
    return problem(410, what, {"oldest": error.oldest})


async def _journal_unavailable(_: Request, error: JournalUnavailable) -> Response:
    _log.warning("journal unavailable", extra={"reason": str(error)})
    what = (
        "journal-unavailable",
        "The journal does not answer",
        "the journal's storage did not answer; try again",
    )
    return problem(503, what, headers=_RETRY_AFTER)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """What FastAPI found wrong: malformed JSON 400, a body that is no JSON 415, the rest 422."""
    errors = error.errors()
    first = errors[0]
    if first["type"] == "json_invalid":
        why = first.get("ctx", {}).get("error", "")
        malformed = BadRequest(f"the body is not JSON: {why}", slug="malformed-json")
        return await _api_error(request, malformed)
    if isinstance(error.body, bytes):
        detail = "send the body as JSON with the header Content-Type: application/json"
        return await _api_error(request, UnsupportedMediaType(detail))
    found: list[JsonValue] = [
        {"field": _field(item["loc"]), "detail": str(item["msg"])} for item in errors[:16]
    ]
    field = _field(first["loc"])
    refused = InvalidField(f"{field}: {first['msg']}", field=field, errors=found)
    if "limit" in (context := first.get("ctx", {})):
        refused.members["limit"] = context["limit"]
    return await _api_error(request, refused)


def _field(loc: tuple[str | int, ...]) -> str:
    """`limits.max_steps` from pydantic's location; the first part says body, query or header."""
    return ".".join(str(part) for part in loc[1:])[:200] or str(loc[0])


async def _http(request: Request, error: HTTPException) -> Response:
    """What the framework refuses by itself (no such path, wrong method), or passes on for us."""
    if isinstance(error.__cause__, ApiError):
        return await _api_error(request, error.__cause__)
    slug = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http-error")
    what = (slug, HTTPStatus(error.status_code).phrase, str(error.detail))
    return problem(error.status_code, what, headers=error.headers)


async def _unhandled(request: Request, error: Exception) -> Response:
    _log.error("unhandled error", exc_info=error, extra={"path": request.url.path})
    return problem(500, ("internal", "The server failed", "the server's log has the cause"))
