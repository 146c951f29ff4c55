"""Housekeeping of the audit log: seals what was left over, sweeps what is past its retention."""

from __future__ import annotations

from datetime import timedelta

from relayline.journal.access.audit import Audit
from relayline.journal.rows import now_us

_AT_A_TIME = 500
_ROUNDS = 20
"""The most transactions of one round."""


class AuditKeeping:
    """Any process may repeat it, and any number of them at once."""

    def __init__(self, audit: Audit, retention: timedelta | None) -> None:
        self._audit = audit
        self._retention = retention

    async def keep(self) -> None:
        """Seal rows whose process died before it could, and delete old ones.

        Raises:
            JournalUnavailable: the storage did not answer; the next round continues.
        """
        for _ in range(_ROUNDS):
            if await self._audit.seal(_AT_A_TIME) < _AT_A_TIME:
                break
        if self._retention is None:
            return
        before_us = now_us() - self._retention // timedelta(microseconds=1)
        for _ in range(_ROUNDS):
            if not await self._audit.sweep(before_us, _AT_A_TIME):
                break
