"""Receivers that only runs name: which runs do, and when such a receiver may go.

A run names its receiver from the first fact that is planned until nothing is left of the run's
events and deliveries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from relayline.journal.outbox_sql import Row, Statement, of_tenant
from relayline.journal.planning import Note
from relayline.journal.rows import now_us
from relayline.journal.table import Tenant

ANY: Final = ""
"""Stands for every receiver, where a run was open before it was written down which one it names."""
_DAY_US = 86_400_000_000
_TOUCH = "UPDATE {s}webhooks SET named_us = ? WHERE webhook_id = ? AND named_us < ? AND {where}"
"""Whoever names a receiver changes its row first, so that whoever removes it meanwhile sees it.
Once a day is enough, and keeps those who name one receiver from waiting for each other."""
_FOUND = "SELECT webhook_id FROM {s}webhooks WHERE webhook_id = ? AND {where}"
_NAME = """
INSERT INTO {s}webhook_runs (run_id, webhook_id)
SELECT u.run_id, w.webhook_id FROM {s}untold u CROSS JOIN {s}webhooks w
WHERE w.webhook_id = ? AND w.tenant = ? AND u.run_id = ? AND u.seq = ? ON CONFLICT DO NOTHING
"""
_UNNAME_GONE = """
DELETE FROM {s}webhook_runs WHERE NOT EXISTS (
    SELECT 1 FROM {s}runs h WHERE h.run_id = {s}webhook_runs.run_id AND h.first_seq <= h.last_seq
)
"""
"""The names of runs that were swept, withdrawn or erased."""
_FORGET = f"""
DELETE FROM {{s}}webhooks WHERE webhook_id IN (
    SELECT w.webhook_id FROM {{s}}webhooks w WHERE w.named_only = 1 AND w.created_us <= ?
    AND w.named_us <= ?
    AND NOT EXISTS (SELECT 1 FROM {{s}}webhook_runs r WHERE r.webhook_id IN (w.webhook_id, '{ANY}'))
    AND NOT EXISTS (SELECT 1 FROM {{s}}deliveries d WHERE d.webhook_id = w.webhook_id)
    LIMIT ?
) AND named_us <= ? AND NOT EXISTS (
    SELECT 1 FROM {{s}}untold u JOIN {{s}}events e ON e.run_id = u.run_id AND e.seq = u.seq
    WHERE e.at_us <= ?
) RETURNING webhook_id
"""  # noqa: S608  constants only
"""A note that old may be of a run that names one of them. A receiver that an older version adds has
no time when it was named."""


class NamedOnly(ABC):
    """The part of `journal.webhooks.Webhooks` that is about receivers which only runs name."""

    @abstractmethod
    async def _run(self, *statements: Statement) -> list[list[Row]]:
        """Run the statements in one transaction, in order; returns the rows of each."""

    @abstractmethod
    async def _run_of(self, tenant: Tenant, *statements: Statement) -> list[list[Row]]:
        """The same, in a transaction that sees nothing of other tenants, if the storage can."""

    async def touch(self, tenant: Tenant, webhook_id: str, at_us: int) -> bool:
        """As in the port."""
        where, theirs = of_tenant(tenant)
        query = _FOUND.replace("{where}", where), (webhook_id, *theirs)
        _, found = await self._run_of(tenant, touching(tenant, webhook_id, at_us), query)
        return bool(found)

    async def forget(self, before_us: int, limit: int) -> int:
        """As in the port."""
        old = (before_us, before_us, limit, before_us, before_us)
        _, found = await self._run((_UNNAME_GONE, ()), (_FORGET, old))
        return len(found)


def touching(tenant: Tenant, webhook_id: str, at_us: int) -> Statement:
    """The statement that says when the receiver was named, if it was not named within a day."""
    where, theirs = of_tenant(tenant)
    return _TOUCH.replace("{where}", where), (at_us, webhook_id, at_us - _DAY_US, *theirs)


def naming(notes: Sequence[Note]) -> list[Statement]:
    """The statements that write down which receivers the runs of these notes name.

    They come after those that lock the receivers, and before the notes are dropped.
    """
    named = [(note, note.webhook) for note in notes if note.webhook]
    at_us, receivers = now_us(), dict.fromkeys((note.tenant, id_) for note, id_ in named)
    return [
        *(touching(tenant, id_, at_us) for tenant, id_ in receivers),
        *((_NAME, (id_, note.tenant, note.run_id, note.seq)) for note, id_ in named),
    ]
