"""Cuts a process's own secrets out of text before it is journaled, logged or shown."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from pydantic import JsonValue

MIN_SECRET_BYTES = 16
"""Shorter values are too likely to stand in innocent text."""
MIN_ECHOED_BYTES = 6
"""The same for messages of a provider, which may echo what it was sent: what is shorter is a
placeholder."""
HIDDEN = "[redacted]"
"""Never longer than what it replaces, if that has `MIN_SECRET_BYTES`."""
_ONE_KEY = re.compile(r"RELAYLINE_\w+_KEY|\w+_API_KEY")
_SEVERAL_KEYS = re.compile(r"RELAYLINE_(?:\w+_KEYS|SECRET)")


class Redactor:
    """Cuts secrets out, also where they stand escaped in JSON or in a URL.

    A secret of which only the beginning is there, because the text was cut, goes, too, if that is
    at least `least` characters.
    """

    def __init__(self, secrets: Iterable[str] = (), least: int = MIN_SECRET_BYTES) -> None:
        """Secrets of fewer than `least` bytes are left alone."""
        self.least = least
        long_enough = (it for it in secrets if len(it.encode()) >= least)
        forms = {form for secret in long_enough for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._forms)) or r"(?!)")
        self._first = frozenset(form[0] for form in forms)
        self._longest = max(map(len, forms), default=0)

    @property
    def knows_none(self) -> bool:
        """True if there is no secret to cut out."""
        return not self._forms

    def clean(self, text: str) -> str:
        """The text without the secrets."""
        if not self._forms:
            return text
        stream = self.stream()
        return stream.feed(text) + stream.flush()

    def clean_json(self, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """The object with every string and key in it cleaned, at any depth."""
        if not self._forms:
            return value
        whole: dict[str, Any] = {"": value}
        waiting: list[tuple[Any, Any]] = [(whole, "")]
        while waiting:
            container, place = waiting.pop()
            match container[place]:
                case str(text):
                    container[place] = self.clean(text)
                case list(items):
                    copied = container[place] = list(items)
                    waiting += [(copied, index) for index in range(len(copied))]
                case dict(fields):
                    cleaned = {self.clean(name): of for name, of in fields.items()}
                    container[place] = cleaned
                    waiting += [(cleaned, name) for name in cleaned]
        result: dict[str, JsonValue] = whole[""]
        return result

    def stream(self) -> RedactedStream:
        """For a text that comes in pieces."""
        return RedactedStream(self)

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """The secrets in a text, from left to right; of two at one place, the longer."""
        return self._pattern.finditer(text)

    def held(self, text: str) -> int:
        """The length of the longest end of the text with which a secret may begin."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[start] in self._first:
                end = text[start:]
                if any(len(end) < len(form) and form.startswith(end) for form in self._forms):
                    return len(end)
        return 0


class RedactedStream:
    """A text that comes in pieces and leaves without secrets, however they were split."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._waiting = ""

    def feed(self, text: str) -> str:
        """What can be shown now; holds back an end with which a secret may begin."""
        text = self._waiting + text
        safe = len(text) - self._redactor.held(text)
        shown, at = [], 0
        for match in self._redactor.matches(text):
            if match.start() >= safe:
                break  # a longer secret may begin there, too
            shown += [text[at : match.start()], HIDDEN]
            at = match.end()
        safe = max(safe, at)
        self._waiting = text[safe:]
        return "".join((*shown, text[at:safe]))

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        text, self._waiting = self._waiting, ""
        whole = self._redactor.matches(text)
        if next(whole, None) or len(text) >= self._redactor.least:
            return HIDDEN
        return text


def own_secrets(
    environment: Mapping[str, str], names: Iterable[str] = (), journal: str = ""
) -> frozenset[str]:
    """The secrets of a process: its keys, its journal's password, and what `names` name.

    Args:
        environment: Keys are `*_API_KEY`, `RELAYLINE_*_KEY`, `RELAYLINE_*_KEYS` and
            `RELAYLINE_SECRET`; URLs with
            credentials are `*_BASE_URL`.
        names: More variables that hold a secret.
        journal: The journal's address.
    """
    found: list[str] = [environment.get(name, "") for name in names]
    for name, value in environment.items():
        if _ONE_KEY.fullmatch(name):
            found.append(value)
        elif _SEVERAL_KEYS.fullmatch(name):
            found += [part.rpartition(":")[2] for part in value.split(",")]
        elif name.endswith("_BASE_URL"):
            found += credentials_in(value)
    found += _passwords(journal or environment.get("RELAYLINE_JOURNAL", ""))
    found += _passwords(environment.get("RELAYLINE_JOURNAL_OWNER", ""))
    return frozenset(text for value in found if (text := value.strip()))


def credentials_in(url: str) -> tuple[str, ...]:
    """The password of a URL, or the user if there is none, in each form in which it is sent."""
    userinfo = url.partition("//")[2].partition("/")[0].rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    basic = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    secret = password or user
    return (secret, unquote(secret), basic) if userinfo else ()


def _passwords(dsn: str) -> list[str]:
    """The password in a database's address, as it stands there and decoded."""
    try:
        parts = urlsplit(dsn)
        password = parts.password or ""
    except ValueError:
        return []
    return [password, unquote(password), *parse_qs(parts.query).get("password", ())]


def _forms(secret: str) -> Iterator[str]:
    """The secret as it stands in plain text, in JSON, and in a URL."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="")


def too_short(names: Iterable[str]) -> list[str]:
    """What people should know of these names of environment variables: their values stay."""
    return [
        f"RELAYLINE_REDACT names {name}, which is unset or shorter than {MIN_SECRET_BYTES} bytes: "
        "it is not cut out of anything"
        for name in names
        if len(os.environ.get(name, "").strip().encode()) < MIN_SECRET_BYTES
    ]
