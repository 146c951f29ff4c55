"""The one table that turns exceptions into problem documents (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from relayline.api.errors import (
    RETRY_AFTER,
    ApiError,
    BadRequest,
    InvalidField,
    UnsupportedMediaType,
)
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
"""Errors in the OpenAPI document; 422 is listed to replace the framework's own."""
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_UNREADABLE: dict[type | None, str] = {
    RecursionError: "it is nested too deeply",
    UnicodeDecodeError: "it is not UTF-8",
    ValueError: "a number has too many digits",
}
_log = logging.getLogger(__name__)


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
        members: Extra members of the document.
        headers: Extra headers.
    """
    slug, title, detail = what
    document = {
        "type": f"urn:relayline:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        **(members or {}),
    }
    # it may quote what was sent, which may be no text
    text = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return Response(text, status, headers, media_type=PROBLEM_JSON)


def install(app: FastAPI) -> None:
    """Register the table."""
    app.exception_handler(ApiError)(_api_error)
    app.exception_handler(CursorExpired)(_cursor_expired)
    app.exception_handler(JournalUnavailable)(_journal_unavailable)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_unhandled)


def answer_to(error: ApiError) -> Response:
    """The error's document."""
    what = (error.type, error.title, error.detail)
    return problem(error.status, what, error.members, error.headers)


async def _api_error(_: Request, error: ApiError) -> Response:
    return answer_to(error)


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
    return problem(503, what, headers=RETRY_AFTER)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """Errors that FastAPI finds: malformed JSON 400, a body that is not JSON 415, else 422."""
    errors = error.errors()
    first = errors[0]
    if first["type"] == "json_invalid":
        why = first.get("ctx", {}).get("error", "")
        return await _api_error(request, _malformed(why))
    if isinstance(error.body, bytes):
        detail = "send the body as JSON with the header Content-Type: application/json"
        return await _api_error(request, UnsupportedMediaType(detail))
    found: list[JsonValue] = [
        {"field": _field(item), "detail": str(item["msg"])} for item in errors[:16]
    ]
    field = _field(first)
    refused = InvalidField(f"{field}: {first['msg']}", field=field, errors=found)
    if "limit" in (context := first.get("ctx", {})):
        refused.members["limit"] = context["limit"]
    return await _api_error(request, refused)


def _malformed(why: object) -> BadRequest:
    return BadRequest(f"the body is not JSON: {why}", slug="malformed-json", field="body")


def _field(error: Mapping[str, Any]) -> str:
    """`limits.max_steps` from pydantic's location, whose first part is body, query or header.

    A validator that looks at a whole body names the field itself.
    """
    loc = error["loc"]
    if loc[0] == "query":  # a parameter may be repeated, which its name does not tell
        loc = tuple(part for part in loc if isinstance(part, str))
    if named := error.get("ctx", {}).get("field"):
        return str(named)
    return ".".join(str(part) for part in loc[1:])[:200] or str(loc[0])


async def _http(request: Request, error: HTTPException) -> Response:
    """Errors of the framework (unknown path, wrong method); an ApiError may be the cause."""
    if isinstance(error.__cause__, ApiError):
        return await _api_error(request, error.__cause__)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework could not read the body
        return await _api_error(
            request, _malformed(_UNREADABLE.get(type(error.__cause__), "it can't be read"))
        )
    slug = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http-error")
    what = (slug, HTTPStatus(error.status_code).phrase, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(error.status_code, what, headers=headers)


def _methods(request: Request) -> list[str]:
    """The methods of all routes with this path; the framework names those of one."""

    def there(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    methods = [*filter(there, _METHODS)]
    return sorted([*methods, "HEAD"] if "GET" in methods else methods)


async def _unhandled(request: Request, error: Exception) -> Response:
    _log.error("unhandled error", exc_info=error, extra={"path": request.url.path})
    return problem(500, ("internal", "The server failed", "the server's log has the cause"))
