"""What an API answered when it did not do as asked, as one exception with a line for people."""

from __future__ import annotations

import json

import httpx

_URN = "urn:relayline:problem:"
_SHOWN_CHARS = 300
UNREACHABLE = "unreachable"
NOT_UNDERSTOOD = "not-understood"
UNSENDABLE = "unsendable"


class ApiError(Exception):
    """The API refused, failed or did not answer; the text names the thing, for people."""

    def __init__(self, message: str, *, status: int | None, kind: str) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status, None when there was no answer."""
        self.kind = kind
        """The problem's type without its prefix, e.g. `unknown-run`; `unreachable` when there was
        no answer, `not-understood` when it was none of Relayline's, `unsendable` when there was
        no request."""


def unusable(base_url: str) -> ApiError:
    """For an address that is none."""
    message = f"{base_url!r} is no address of an API: write http://HOST:PORT"
    return ApiError(message, status=None, kind=UNREACHABLE)


def unsendable(error: ValueError) -> ApiError:
    """For a request that JSON in UTF-8 can't hold."""
    message = f"what was given can't be sent: {error}"
    return ApiError(message, status=None, kind=UNSENDABLE)


def unreachable(base_url: str, error: httpx.HTTPError) -> ApiError:
    """For a request that got no answer."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        message = (
            f"no API answers at {base_url}: start one with `relayline dev`, "
            "or name another with --url or RELAYLINE_URL"
        )
    else:
        message = f"the API at {base_url} broke off ({reason(error)}): see its log, then try again"
    return ApiError(message, status=None, kind=UNREACHABLE)


def reason(error: httpx.HTTPError) -> str:
    """The error in a few words."""
    return str(error) or type(error).__name__


def not_understood(base_url: str, status: int, what: str) -> ApiError:
    """For an answer that is not what the protocol says."""
    message = f"{base_url} answered {what}: is that a Relayline API of this version?"
    return ApiError(message, status=status, kind=NOT_UNDERSTOOD)


def problem_of(base_url: str, answer: httpx.Response) -> ApiError:
    """From an error answer, whose body has been read; RFC 9457 where it is one."""
    status = answer.status_code
    try:
        document = json.loads(answer.content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not (document.get("detail") or document.get("title")):
        return not_understood(base_url, status, f"{status} {answer.reason_phrase}".rstrip())
    message = str(document.get("detail") or document["title"])[:_SHOWN_CHARS]
    kind = str(document.get("type", "")).removeprefix(_URN)
    return ApiError(message, status=status, kind=kind)
