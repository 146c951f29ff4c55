"""The port to the audit log: who did what, in rows that never change, chained by hashes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import uuid4

from pydantic import JsonValue

from relayline.journal.access.chain import Anchor
from relayline.journal.rows import now_us

UNKNOWN_TENANT = "-"
"""The tenant of rows of requests whose sender is unknown; no tenant has this name."""


class AuditRow(NamedTuple):
    """One row, without content: no prompt, no argument, no answer."""

    id: str
    """Random; a row is stored once, however often it is added."""
    at_us: int
    """Microseconds since 1970, UTC, by the clock of the process that served the request."""
    tenant: str
    subject: str
    key_id: str
    """The API key; empty for other credentials."""
    via: str
    """What proved who asked: `key`, `oidc`, `cli`; empty if nothing did."""
    address: str
    action: str
    target: str
    """The id of what was acted on."""
    outcome: str
    request_id: str
    detail: str
    """A JSON object."""


def row_without_request(
    by: str, via: str, tenant: str, action: str, target: str, **detail: JsonValue
) -> AuditRow:
    """The row of what nobody asked the API for: a command on the journal, or housekeeping."""
    what = (action, target, "accepted", "", json.dumps(detail, separators=(",", ":")))
    return AuditRow(uuid4().hex, now_us(), tenant, by, "", via, "", *what)


class SealedRow(NamedTuple):
    """A row in its place in the chain of its tenant."""

    seq: int
    """1, 2, 3, … per tenant."""
    hash: str
    row: AuditRow


class AuditFilter(NamedTuple):
    """Which rows to read: those that match all that is given."""

    action: str | None = None
    subject: str | None = None
    target: str | None = None
    from_us: int | None = None
    """At that time or later."""
    to_us: int | None = None
    """Earlier than that."""


EVERY_ROW = AuditFilter()


class Audit(Protocol):
    """The audit log of all tenants.

    The storage itself refuses to change a row, or to delete one that retention does not reach.
    Rows are added without a place; sealing gives each the next `seq` of its tenant and a hash that
    covers the row and the hash before it.

    All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def add(self, rows: Sequence[AuditRow]) -> None:
        """Add the rows, all or none; those that are there already stay as they are."""
        ...

    async def seal(self, limit: int) -> int:
        """Seal at most `limit` rows, oldest first; returns how many. Any process may."""
        ...

    async def sealed(
        self, tenant: str, after: int, limit: int, wanted: AuditFilter = EVERY_ROW
    ) -> Sequence[SealedRow]:
        """At most `limit` rows of the tenant with `seq > after`, in that order."""
        ...

    async def tenants(self) -> Sequence[str]:
        """All tenants that have rows, or had some, by name."""
        ...

    async def anchor(self, tenant: str) -> Anchor:
        """Where the tenant's chain begins: the last row that was swept."""
        ...

    async def unsealed(self) -> int:
        """How many rows have no place yet."""
        ...

    async def sweep(self, before_us: int, limit: int) -> int:
        """Delete rows older than that from the beginnings of the chains; returns how many.

        At most `limit` of each tenant. The place and the hash of the last one are kept.
        """
        ...
