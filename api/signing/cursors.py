"""Cursors of lists: the parts of a place as one opaque text, which only their list takes."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import NamedTuple, TypeGuard

from relayline.api.errors import BadRequest
from relayline.journal.table import Tenant

PURPOSE = "cursors 1"
"""What the keys are derived for."""
_MAC_BYTES = 16


class ListOf(NamedTuple):
    """What a cursor belongs to."""

    name: str
    """Of the list, such as `runs`."""
    tenant: Tenant
    wanted: object = None
    """The filter: a dataclass, a tuple or a text."""

    def text(self) -> bytes:
        """All of it; the same for filters that select the same, in every version."""
        tenant = self.tenant if isinstance(self.tenant, str) else None
        parts = [self.name, tenant, _plain(self.wanted)]
        return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()


class Cursors:
    """Makes cursors and reads them.

    With keys a cursor is signed together with its list, the tenant and the filter: one that was
    changed, or that comes from elsewhere, is none of this list.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """Sign with the first key; each of them verifies. Without any nothing is signed."""
        self._keys = tuple(keys)

    def encode(self, of: ListOf, *parts: object) -> str:
        """The parts of a place as one text."""
        place = "|".join(map(str, parts)).encode()
        mac = _mac(self._keys[0], of, place) if self._keys else b""
        return base64.urlsafe_b64encode(mac + place).decode()

    def decode(self, of: ListOf, cursor: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """The parts of a cursor: the groups of the pattern.

        Args:
            of: What it must belong to.
            cursor: As the client gave it.
            pattern: What the text in it must be.

        Raises:
            BadRequest: it is not a cursor of that.
        """
        place = self._place(of, cursor)
        parts = None if place is None else pattern.fullmatch(place)
        if not parts:
            raise BadRequest(
                "cursor: not a cursor of this list", slug="invalid-cursor", field="cursor"
            )
        return parts.groups()

    def _place(self, of: ListOf, cursor: str) -> str | None:
        """The text in it; None if it is not ours."""
        try:
            raw = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(raw).decode() != cursor:  # other text, same bytes
                return None
            if not self._keys:
                return raw.decode()
            mac, place = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            known = [hmac.compare_digest(_mac(key, of, place), mac) for key in self._keys]
            return place.decode() if any(known) else None
        except (ValueError, binascii.Error):
            return None


def pattern_of(id_pattern: str) -> re.Pattern[str]:
    """What a cursor holds in a list of things with such ids."""
    return re.compile(rf"(\d{{1,18}})\|({id_pattern.strip('^$')})")


def _mac(key: bytes, of: ListOf, place: bytes) -> bytes:
    named = of.text()
    text = len(named).to_bytes(4, "big") + named + place
    return hmac.digest(key, text, "sha256")[:_MAC_BYTES]


def _plain(value: object) -> object:
    """The value as JSON; what selects nothing is left out, as versions may add it."""
    if is_dataclass(value):
        given = {it.name: getattr(value, it.name) for it in fields(value)}
        return {name: _plain(it) for name, it in given.items() if _selects(it)}
    if isinstance(value, Mapping):
        return {str(name): _plain(it) for name, it in value.items()}
    if isinstance(value, Set):
        return sorted(map(str, value))
    if _is_list(value):
        return [*map(_plain, value)]
    if isinstance(value, datetime):
        return value.timestamp()
    return value if isinstance(value, bool | int | float | None) else str(value)


def _selects(value: object) -> bool:
    return value is not None and value not in ("", (), frozenset(), {})


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)
