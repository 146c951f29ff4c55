"""API keys in SQL that both adapters run as it stands.

`?` stands for an argument and `{s}` for the schema; all numbers are 64 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from relayline.contracts.principals import Scope
from relayline.journal.access.api_keys import KeyPlace, Rehashed, StoredKey
from relayline.journal.outbox_sql import Row, Statement, after, of_tenant
from relayline.journal.table import Tenant

_COLUMNS = (
    "key_id, tenant, name, hash, pepper_id, scopes, created_us, created_by, expires_us, "
    "last_used_us, revoked_us"
)
_FIND = f"SELECT {_COLUMNS} FROM {{s}}api_keys WHERE key_id = ?"  # noqa: S608  constants only
_ADD = f"""
INSERT INTO {{s}}api_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""  # noqa: S608  constants only
_STANDS = "SELECT 1 FROM {s}api_keys WHERE key_id = ? AND tenant = ? AND revoked_us IS NULL"
_EXPIRE = """
UPDATE {s}api_keys SET expires_us = ? WHERE key_id = ? AND revoked_us IS NULL
AND (expires_us IS NULL OR expires_us > ?)
"""
_REVOKE = "UPDATE {{s}}api_keys SET revoked_us = ? WHERE {where} AND revoked_us IS NULL"
_USED = """
UPDATE {s}api_keys SET last_used_us = ? WHERE key_id = ?
AND (last_used_us IS NULL OR last_used_us < ?)
"""
_REHASH = "UPDATE {s}api_keys SET pepper_id = ?, hash = ? WHERE key_id = ? AND pepper_id = ?"


class Run(Protocol):
    """Runs statements in one transaction, in order; returns the rows of each."""

    async def __call__(self, *statements: Statement) -> list[list[Row]]:
        """Run them."""
        ...


class StoredKeys:
    """`journal.access.api_keys.ApiKeys` on whatever runs statements in a transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def find(self, key_id: str) -> StoredKey | None:
        """As in the port."""
        [found] = await self._run((_FIND, (key_id,)))
        return _key(found[0]) if found else None

    async def add(self, key: StoredKey) -> None:
        """As in the port."""
        await self._run((_ADD, _row(key)))

    async def keys(
        self, tenant: Tenant, limit: int, before: KeyPlace | None = None
    ) -> Sequence[StoredKey]:
        """As in the port."""
        where, theirs = of_tenant(tenant)
        following, place = after(before, "key_id")
        query = (
            f"SELECT {_COLUMNS} FROM {{s}}api_keys WHERE {where} AND {following} "  # noqa: S608
            "ORDER BY created_us DESC, key_id DESC LIMIT ?"
        )
        [found] = await self._run((query, (*theirs, *place, limit)))
        return [_key(row) for row in found]

    async def replace(self, key_id: str, new: StoredKey, until_us: int) -> bool:
        """As in the port; a repetition changes nothing."""
        marks = ", ".join(f"CAST(? AS {kind})" for kind in _KINDS)
        add = (
            f"INSERT INTO {{s}}api_keys ({_COLUMNS}) SELECT {marks} "
            f"WHERE EXISTS ({_STANDS}) ON CONFLICT DO NOTHING"
        )
        *_, added = await self._run(
            (add, (*_row(new), key_id, new.tenant)),
            (f"{_EXPIRE} AND EXISTS ({_FIND})", (until_us, key_id, until_us, new.key_id)),
            (_FIND, (new.key_id,)),
        )
        return bool(added)

    async def revoke(self, tenant: Tenant, key_id: str, now_us: int) -> bool:
        """As in the port."""
        where, arguments = of_tenant(tenant)
        one = f"key_id = ? AND {where}"
        _, found = await self._run(
            (_REVOKE.format(where=one), (now_us, key_id, *arguments)),
            (f"SELECT 1 FROM {{s}}api_keys WHERE {one}", (key_id, *arguments)),  # noqa: S608
        )
        return bool(found)

    async def note_used(self, used: Mapping[str, int]) -> None:
        """As in the port."""
        ordered = sorted(used.items())  # so that two processes never wait for each other
        if ordered:
            await self._run(*((_USED, (at_us, key_id, at_us)) for key_id, at_us in ordered))

    async def rehash(self, rehashed: Sequence[Rehashed]) -> None:
        """As in the port."""
        statements = [
            (_REHASH, (it.pepper_id, it.hash, it.key_id, it.old_pepper_id))
            for it in sorted(rehashed)
        ]
        if statements:
            await self._run(*statements)


_KINDS = ("text",) * 6 + ("bigint", "text") + ("bigint",) * 3
"""Types of the columns: Postgres can't tell them in a SELECT without a table."""


def _row(key: StoredKey) -> tuple[object, ...]:
    it = key
    scopes = " ".join(sorted(it.scopes))
    stored = (it.key_id, it.tenant, it.name, it.hash, it.pepper_id, scopes)
    times = (it.expires_us, it.last_used_us, it.revoked_us)
    return (*stored, it.created_us, it.created_by, *times)


def _key(row: Row) -> StoredKey:
    key_id, tenant, name, hashed, pepper_id, scopes, *rest = row
    known = frozenset(Scope(it) for it in scopes.split() if it in _SCOPES)
    return StoredKey(key_id, tenant, name, hashed, pepper_id, known, *rest)


_SCOPES = frozenset(scope.value for scope in Scope)
"""A later version may know more."""
