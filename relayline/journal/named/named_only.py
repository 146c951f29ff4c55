"""Receivers that only runs name: which runs do, and when such a receiver may go.

A run names its receiver from the first fact that is planned until nothing is left of the run's
events and deliveries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final

from relayline.journal.outbox_sql import Row, Statement, of_tenant
from relayline.journal.planning import Note
from relayline.journal.rows import now_us
from relayline.journal.table import Tenant

ANY: Final = ""
"""Stands for every receiver, where a run was open before it was written down which one it names."""
_TOUCH = """
UPDATE {s}webhooks SET named_us = CASE WHEN named_us < ? THEN ? ELSE named_us END
WHERE webhook_id = ? AND {where} RETURNING webhook_id
"""
"""Whoever names a receiver changes its row first, so that whoever removes it meanwhile sees it."""
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
        query = _TOUCH.replace("{where}", where)
        [found] = await self._run_of(tenant, (query, (at_us, at_us, webhook_id, *theirs)))
        return bool(found)

    async def forget(self, before_us: int, limit: int) -> int:
        """As in the port."""
        old = (before_us, before_us, limit, before_us, before_us)
        _, found = await self._run((_UNNAME_GONE, ()), (_FORGET, old))
        return len(found)


def naming(notes: Iterable[Note]) -> list[Statement]:
    """The statements that write down which receivers the runs of these notes name.

    They come after those that lock the receivers, and before the notes are dropped.
    """
    at_us = now_us()
    touch = _TOUCH.replace("{where}", "tenant = ?")
    return [
        statement
        for note in notes
        if note.webhook
        for statement in (
            (touch, (at_us, at_us, note.webhook, note.tenant)),
            (_NAME, (note.webhook, note.tenant, note.run_id, note.seq)),
        )
    ]
