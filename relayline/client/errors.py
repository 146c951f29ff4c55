"""What the client library raises.

RelaylineError             base of everything below; the text is one line for people
├── ApiError               the server refused or failed: its problem document
│   ├── InvalidRequest     400, 413, 415, 422: the request is wrong as it is
│   ├── Denied             401, 403: no valid key, or one that does not allow this
│   ├── NotFound           404: no such run, command, approval, question or agent
│   ├── Conflict           409: too late; the run has ended, or somebody else has decided
│   ├── Expired            410: past retention, or erased
│   ├── RateLimited        429: too many at once; try again after `retry_after_s`
│   └── Unavailable        503: the server lacks something; try again after `retry_after_s`
├── ConnectionLost         no answer, or half of one; the server may have acted on the request
│   └── Unreachable        nothing listens there: the server has not seen the request
├── UnexpectedAnswer       an answer that is not in the protocol
├── InvalidArgument        what was given can't be sent (also a `ValueError`)
├── NotCompleted           the run, or its turn, ended without an answer
└── WaitTimeout            the run has not ended in time (also a `TimeoutError`)
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx
from pydantic import JsonValue

_URN = "urn:relayline:problem:"
_SHOWN_CHARS = 300
_TRY_AGAIN = frozenset({408, 425, 429})
"""The 4xx that say themselves that trying again helps."""
MAX_RETRY_AFTER_S = 60.0


class RelaylineError(Exception):
    """Base of all errors of the client library."""

    @property
    def reason(self) -> str:
        """The cause in a few words."""
        return str(self)


class ApiError(RelaylineError):
    """The server refused or failed; the text is the problem's `detail`."""

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        problem: Mapping[str, JsonValue] | None = None,
        retry_after_s: float = 0,
    ) -> None:
        super().__init__(detail)
        self.problem = problem or {}
        """The problem document, empty where there was none; its further members are `field`,
        `limit`, `oldest`, `decision`, `by`, `at` and others."""
        self.detail = detail
        """One line for people, at most 300 characters."""
        self.status = status
        """The HTTP status."""
        self.type = str(self.problem.get("type", "")).removeprefix(_URN)
        """The problem's stable type without `urn:relayline:problem:`, e.g. `unknown-run`."""
        self.title = str(self.problem.get("title", ""))
        """The problem's title, the same for all problems of a type."""
        self.retry_after_s = retry_after_s
        """Seconds that the server asks to wait before trying again; 0 when it does not say."""

    @property
    def field(self) -> str | None:
        """The wrong field of the request, e.g. `limits.max_steps`; None if none is named."""
        field = self.problem.get("field")
        return field if isinstance(field, str) else None

    @property
    def retryable(self) -> bool:
        """True when the same request may succeed later."""
        return self.status >= 500 or self.status in _TRY_AGAIN


class InvalidRequest(ApiError):
    """The request is wrong as it is; `field` names the part, where the server does."""


class Denied(ApiError):
    """No valid API key, or one that does not allow this: `problem["scope"]` is what it lacks."""


class NotFound(ApiError):
    """There is no such run, command, approval or question."""


class Conflict(ApiError):
    """It comes too late: the run has ended, or somebody else has decided or answered."""


class Expired(ApiError):
    """The run, or its events after the cursor, are past retention; see `problem["oldest"]`.

    Also of an erased run (`type` is `run-erased`), which no command and no submission brings back.
    """


class RateLimited(ApiError):
    """Too many at once, e.g. open streams of one address."""


class Unavailable(ApiError):
    """The server lacks something that it needs: its journal, or Temporal."""


class ConnectionLost(RelaylineError):
    """No answer, or half of one: whether the server has acted on the request is not known."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self._reason = reason

    @property
    def reason(self) -> str:
        """The cause in a few words."""
        return self._reason


class Unreachable(ConnectionLost):
    """Nothing listens at that address: the server has not seen the request."""


class UnexpectedAnswer(RelaylineError):
    """An answer that is not in the protocol: not a Relayline API, or one of another version."""


class InvalidArgument(RelaylineError, ValueError):
    """What was given can't be sent: not an address, or not JSON in UTF-8."""


class NotCompleted(RelaylineError):
    """The run, or the turn that was waited for, ended without an answer; the text says how."""


class WaitTimeout(RelaylineError, TimeoutError):
    """The run has not ended within the time that was given; it continues."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    410: Expired,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
    503: Unavailable,
}


def no_answer(base_url: str, error: httpx.HTTPError) -> ConnectionLost:
    """For a request that got no answer."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Unreachable(f"no API answers at {base_url}", reason)
    message = f"the API at {base_url} broke off ({reason}): see its log, then try again"
    return ConnectionLost(message, reason)


def unexpected(base_url: str, what: str) -> UnexpectedAnswer:
    """For an answer that is not what the protocol says."""
    return UnexpectedAnswer(f"{base_url} answered {what}: is that a Relayline API of this version?")


def error_of(base_url: str, answer: httpx.Response) -> ApiError | UnexpectedAnswer:
    """The error that an error answer means; its body must have been read.

    A 5xx or 429 without a problem document, as a proxy writes it, is an `ApiError`, too.
    """
    status, headers = answer.status_code, answer.headers
    try:
        document = json.loads(answer.content)
    except ValueError:
        document = None
    kind = _BY_STATUS.get(status, ApiError)
    retry_after_s = _seconds(headers.get("retry-after", ""))
    if not isinstance(document, dict) or not (document.get("detail") or document.get("title")):
        said = unexpected(base_url, f"{status} {answer.reason_phrase}".rstrip())
        if answer.is_server_error or status in _TRY_AGAIN:
            return kind(str(said), status=status, retry_after_s=retry_after_s)
        return said
    detail = str(document.get("detail") or document["title"])[:_SHOWN_CHARS]
    return kind(detail, status=status, problem=document, retry_after_s=retry_after_s)


def _seconds(text: str) -> float:
    """Of a `Retry-After`; 0 where it is missing or a date."""
    return min(float(text), MAX_RETRY_AFTER_S) if text.isascii() and text.isdigit() else 0
