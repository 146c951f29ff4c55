"""Errors that a provider tells inside an answer with status 200, in all their shapes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from relayline.activities.model.port import retry_helps

_WORDS = (
    *("message", "msg", "faultstring", "error_message", "error_msg", "errorMessage"),
    *(
        "status_msg",
        "detail",
        "description",
        "title",
        "reason",
        "error",
        "errors",
        "fault",
        "Error",
    ),
)
"""Fields that may hold the provider's words, best first."""
_CODES = (
    *("code", "status_code", "http_code", "error_code", "statusCode", "http_status"),
    *("status", "type"),
)
"""Fields that may hold its code, best first."""
_ANSWER = ("choices", "candidates", "usage", "usageMetadata", "promptFeedback", "message_id")
"""Fields of an answer: what has one of them is no error for want of others."""
_FINAL = (
    *("invalidrequest", "invalidargument", "invalidparameter", "invalidapikey", "invalidprompt"),
    *("badrequest", "authentication", "unauthorized", "unauthenticated", "permission", "forbidden"),
    *("notfound", "insufficientquota", "insufficientbalance", "billing", "contextlength"),
    *("contextwindow", "contentpolicy", "contentfilter", "policyviolation", "unsupported"),
    *("unprocessable", "toolarge", "validationerror", "failedprecondition", "accessdenied"),
)
"""Kinds of errors that the same request meets again; letters only."""
_MAX_WORDS = 2000


class WireError(Exception):
    """What the provider said instead of an answer, or of the rest of one."""

    def __init__(self, message: str, *, retryable: bool = True, status: int | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status
        """An HTTP status, if it told one."""


def failure_in(name: str, told: Any) -> WireError | None:
    """The error in one event; None if the event is none.

    Args:
        name: The event's name.
        told: Its data: JSON, or text that is none.
    """
    if isinstance(told, str):
        plain = told.strip()
        return _failure(plain) if name == "error" or _says_error(plain) else None
    if isinstance(told, list):
        return next(filter(None, (failure_in(name, item) for item in told)), None)
    if not isinstance(told, dict):
        return _failure(told) if name == "error" else None
    return _failure(told) if name == "error" or _is_failure(told) else _nested(told)


def _is_failure(told: Mapping[str, Any]) -> bool:
    """True if the JSON object is an error as a whole."""
    if any(_meant(told.get(key)) for key in ("error", "errors", "Error", "fault")):
        return True
    if told.get("object") == "error" or str(told.get("type", "")).lower().endswith("error"):
        return True
    if told.get("type") or any(told.get(key) for key in _ANSWER):
        return False
    if str(told.get("object", "")).startswith("chat.completion"):
        return False
    return any(isinstance(told.get(key), str | list) and told[key] for key in _WORDS)


def _nested(told: Mapping[str, Any]) -> WireError | None:
    """An error beside an answer: in a choice (OpenRouter), or as a status of its own (MiniMax)."""
    base = told.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in (None, 0, "0"):
        return _failure(base)
    choices = told.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        for holder in (choice, choice.get("delta")) if isinstance(choice, dict) else ():
            if isinstance(holder, dict) and _meant(holder.get("error")):
                return _failure(holder["error"])
    return None


def _meant(error: object) -> bool:
    """False for the empty `error` that some servers send with each event."""
    if isinstance(error, dict):
        return any(value not in (None, "", 0) for value in error.values())
    return bool(error)


def _failure(told: Any) -> WireError:
    codes = list(dict.fromkeys(_codes(told)))
    words = _words(told) or "the provider told of an error without a word"
    shown = next((code for code in codes if code not in words and code.lower() != "error"), None)
    status = next((int(code) for code in codes if re.fullmatch("[45][0-9][0-9]", code)), None)
    retryable = retry_helps(status) if status else not any(map(_is_final, codes))
    text = f"{words} ({shown})" if shown else words
    return WireError(text[:_MAX_WORDS], retryable=retryable, status=status)


def _words(told: Any) -> str:
    """The provider's own words, from wherever they stand."""
    if isinstance(told, dict):
        found = (_words(told[key]) for key in _WORDS if told.get(key))
        return next(filter(None, found), "") or json.dumps(told, ensure_ascii=False)[:_MAX_WORDS]
    if isinstance(told, list):
        return "; ".join(filter(None, map(_words, told[:5])))
    if isinstance(told, str) and told.lstrip()[:1] == "{":
        try:  # an error in an error, as text
            return _words(json.loads(told))
        except ValueError:
            return told
    return "" if told is None else str(told)


def _codes(told: Any, depth: int = 3) -> Iterator[str]:
    """The provider's codes, the innermost error's first."""
    if isinstance(told, list):
        for item in told[:5]:
            yield from _codes(item, depth - 1)
    if not isinstance(told, dict) or not depth:
        return
    for key in ("error", "errors", "Error", "fault"):
        yield from _codes(told.get(key), depth - 1)
    for key in _CODES:
        if isinstance(told.get(key), int | str) and told[key] not in ("", False, True):
            yield str(told[key])


def _is_final(code: str) -> bool:
    squeezed = re.sub("[^a-z]", "", code.lower())
    return any(kind in squeezed for kind in _FINAL)


def _says_error(text: str) -> bool:
    return text[:40].lower().startswith(("error", "internal server error", "exception"))
