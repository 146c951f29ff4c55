"""The chain of the audit log: each hash covers its row and the hash before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from relayline.journal.access.audit import Audit, AuditRow, SealedRow

_PAGE = 500
_ANOTHER = "it was another row when that hash was noted"


class Anchor(NamedTuple):
    """A place in a chain."""

    seq: int
    hash: str

    def __str__(self) -> str:
        """`SEQ:HASH`."""
        return f"{self.seq}:{self.hash}"


START = Anchor(0, "0" * 64)
"""Before the first row of each chain."""


def follows(before: Anchor, row: AuditRow) -> Anchor:
    """The place of the row after that one.

    The hash is SHA-256, hexadecimal, of a JSON list in ASCII without spaces: the hash before, the
    row's `seq`, and its fields in the order of `AuditRow`.
    """
    seq = before.seq + 1
    text = json.dumps([before.hash, seq, *row], separators=(",", ":"))
    return Anchor(seq, hashlib.sha256(text.encode()).hexdigest())


class Broken(NamedTuple):
    """The first row of a chain that is not as it was written."""

    seq: int
    why: str


class Verdict(NamedTuple):
    """What became of a tenant's chain."""

    tenant: str
    begins: Anchor
    """The place before the first row."""
    head: Anchor
    """The last row that holds."""
    broken: Broken | None
    unseen: Anchor | None = None
    """The known place, if it was swept since: nobody can tell any more what stood there."""


def first_broken(before: Anchor, rows: Sequence[SealedRow]) -> tuple[Anchor, Broken | None]:
    """Follow the chain through these rows; returns the last place that holds."""
    for sealed in rows:
        wanted = follows(before, sealed.row)
        if sealed.seq != wanted.seq:
            return before, Broken(wanted.seq, "it is missing")
        if sealed.hash != wanted.hash:
            why = f"it ({sealed.row.id}) or the one before it is not as it was written"
            return before, Broken(wanted.seq, why)
        before = wanted
    return before, None


def _hashes(rows: Sequence[SealedRow], known: Anchor) -> set[str]:
    """The hash at the known place; the known one itself if these rows do not have that place."""
    return {it.hash for it in rows if it.seq == known.seq} or {known.hash}


async def verify(audit: Audit, tenant: str, known: Anchor | None = None) -> Verdict:
    """Follow a tenant's whole chain.

    Args:
        audit: The log.
        tenant: Whose chain.
        known: A place that the chain had once: it must still have it, unless it was swept since.
            Without one, nobody can tell that the newest rows were removed.

    Raises:
        JournalUnavailable: the log can't be read.
    """
    begins = head = await audit.anchor(tenant)
    unseen = known if known and known.seq < begins.seq else None
    if known and known.seq == begins.seq and known.hash != begins.hash:
        return Verdict(tenant, begins, head, Broken(known.seq, _ANOTHER))
    while rows := await audit.sealed(tenant, head.seq, _PAGE):
        head, broken = first_broken(head, rows)
        if broken is None and known and known.hash not in _hashes(rows, known):
            broken = Broken(known.seq, _ANOTHER)
        if broken:
            return Verdict(tenant, begins, head, broken)
    if known and known.seq > head.seq:
        return Verdict(tenant, begins, head, Broken(head.seq + 1, "it is missing"))
    return Verdict(tenant, begins, head, None, unseen)
