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
from starlette.types import Receive, Scope, Send

from relayline.api.documents import document, refusal_of
from relayline.api.errors import (
    RETRY_AFTER,
    ApiError,
    BadRequest,
    ErasedRun,
    RunGone,
    TenantGone,
    UnsupportedMediaType,
)
from relayline.contracts.answers import Problem
from relayline.journal.port import (
    CursorExpired,
    JournalUnavailable,
    RunErased,
    TenantErased,
    Unreadable,
)

PROBLEM_JSON = "application/problem+json"
SUBPROTOCOL = "relayline.v1"
"""What is spoken on a WebSocket."""
_REASON_BYTES = 100
PROBLEMS: dict[int | str, dict[str, Any]] = {"422": {"description": ""}}
"""Takes the place of the framework's own; `describe_problems` replaces it."""
_EVERYWHERE = (400, 401, 403, 408, 413, 415, 422, 429, 431, 500, 503)
"""Statuses that any request may get; 408 and 431 before it is read."""
_CONFLICTS = frozenset(
    {
        *("POST /v1/schedules", "POST /v1/keys", "POST /v1/keys/{key_id}/rotate"),
        *("POST /v1/tokens/stream", "POST /v1/deliveries/{delivery_id}/redeliver"),
        *("DELETE /v1/runs/{run_id}", "POST /v1/runs/{run_id}/approvals/{approval_id}"),
        *(f"POST /v1/runs/{{run_id}}/{it}" for it in ("pause", "resume", "redirect", "cancel")),
        "POST /v1/runs/{run_id}/answer",
    }
)
"""Operations that may come too late, or find something else there."""
_FOR_A_TENANT = {f"POST /v1/{it}" for it in ("runs", "batches", "schedules", "files")}
"""Operations that nobody may use for a tenant whose key was erased."""
_OF_ONE_RUN = ("/v1/runs/{run_id}", "/v1/live", "/v1/tokens/stream")
"""Paths that name a run, which may have been erased, or be past retention."""
_PROBLEM = "#/components/responses/Problem"
_READS = {"GET", "HEAD"}
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
    members = document(status, what, members or {})
    # it may quote what was sent, which may be no text
    text = json.dumps(members, ensure_ascii=False).encode(errors="replace")
    return Response(text, status, headers, media_type=PROBLEM_JSON)


def install(app: FastAPI) -> None:
    """Register the table."""
    app.exception_handler(ApiError)(_api_error)
    app.exception_handler(CursorExpired)(_cursor_expired)
    app.exception_handler(RunErased)(_run_erased)
    app.exception_handler(TenantErased)(_tenant_erased)
    app.exception_handler(JournalUnavailable)(_journal_unavailable)
    app.exception_handler(Unreadable)(_unreadable)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_unhandled)


def describe_problems(made: dict[str, Any]) -> None:
    """Name in the OpenAPI document each status of an error, with the form of its document."""
    components = made["components"]
    components["schemas"]["Problem"] = Problem.model_json_schema()
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    said = "A problem document (RFC 9457); `type` is `urn:relayline:problem:…`"
    components["responses"] = {"Problem": {"description": said, "content": content}}
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            del responses["422"]
            for code in map(str, _statuses(f"{method.upper()} {path}", path)):
                if code in responses:
                    responses[code].setdefault("content", {}).update(content)
                else:
                    responses[code] = {"$ref": _PROBLEM}


def _statuses(operation: str, path: str) -> list[int]:
    """Statuses of errors of an operation."""
    of_run = path.startswith(_OF_ONE_RUN)
    found = [*_EVERYWHERE]
    if of_run or "{" in path:
        found.append(404)
    if operation in _CONFLICTS:
        found.append(409)
    if of_run or operation in _FOR_A_TENANT:
        found.append(410)
    return sorted(found)


def answer_to(error: ApiError) -> Response:
    """The error's document."""
    what = (error.type, error.title, error.detail)
    headers = dict(error.headers)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return problem(error.status, what, error.members, headers)


def closing_of(status: int, slug: str) -> dict[str, Any]:
    """How a WebSocket is closed because of an error: 4404 for a 404, with the slug as reason."""
    return {"type": "websocket.close", "code": 4000 + status, "reason": slug[:_REASON_BYTES]}


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with the error; accept a WebSocket and close it: browsers see no status."""
    if scope["type"] == "http":
        await answer_to(error)(scope, receive, send)
        return
    chosen = SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen})
    await send(closing_of(error.status, error.type))


async def _api_error(request: Request, error: ApiError) -> Response:
    if isinstance(error, ErasedRun) and request.method not in _READS:
        return answer_to(RunGone(error.run_id))
    return answer_to(error)


async def _run_erased(request: Request, error: RunErased) -> Response:
    return await _api_error(request, ErasedRun(error.run_id))


async def _tenant_erased(_: Request, error: TenantErased) -> Response:
    return answer_to(TenantGone(error.tenant or ""))


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


async def _unreadable(_: Request, error: Unreadable) -> Response:
    _log.warning("the journal can't be read", extra={"reason": str(error)})
    what = ("payload-unreadable", "What the journal stores can't be decrypted", str(error))
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
    return await _api_error(request, refusal_of(errors))


def _malformed(why: object) -> BadRequest:
    return BadRequest(f"the body is not JSON: {why}", slug="malformed-json", field="body")


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
