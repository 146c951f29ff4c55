"""Writes the audit log: in groups, to a local file while the database is away, and seals it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from relayline.journal.access.audit import Audit, AuditRow
from relayline.journal.access.spool import Spool, tell_lost
from relayline.journal.port import JournalError, JournalUnavailable

PATIENCE_S = 1.0
"""The most that a request waits for the database; then its row is spooled."""
AWAY_S = 2.0
"""Seconds after a failure in which rows are spooled at once, and between two tries to drain."""
SEAL_S = 0.4
"""Seconds from a row to the sealing of all that have come by then."""
GROUP = 200
_log = logging.getLogger(__name__)


class _Grouped:
    """Writes rows in groups: those that come while one is written are the next."""

    def __init__(self, write: Callable[[Sequence[AuditRow]], Awaitable[None]]) -> None:
        self._write = write
        self._one_at_a_time = asyncio.Lock()
        self._waiting: list[AuditRow] = []
        self._next: asyncio.Task[None] | None = None

    def add(self, row: AuditRow) -> asyncio.Task[None]:
        """The writing of the group that the row is in; do not cancel it."""
        self._waiting.append(row)
        if self._next is None:
            self._next = asyncio.create_task(self._write_next(), name="write the audit log")
            self._next.add_done_callback(_seen)
        return self._next

    async def _write_next(self) -> None:
        async with self._one_at_a_time:
            rows, self._waiting, self._next = self._waiting, [], None
            await self._write(rows)


class AuditLog:
    """Takes the rows of one process; for one event loop.

    A row is in the database or in the spool once `record` returns, and in the end in the database,
    once. Where neither can be written, it is in the log of the process, and nowhere else.
    """

    def __init__(
        self, audit: Audit, spool: Spool, echo: Callable[[AuditRow], None] | None = None
    ) -> None:
        """Write there.

        Args:
            audit: The database.
            spool: Where rows wait while it is away.
            echo: Is shown each row, too.
        """
        self._audit = audit
        self._spool = spool
        self._echo = echo or _silent
        self._stored, self._spooled = _Grouped(self._store), _Grouped(self._keep)
        self._away_until_s = 0.0
        self._to_seal = self._to_drain = False
        self._sealing: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._later: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Store what processes before this one have spooled, in the background."""
        self._drain_soon()

    async def record(self, row: AuditRow) -> None:
        """Write the row."""
        self._echo(row)
        if time.monotonic() >= self._away_until_s:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.shield(self._stored.add(row))
            except (JournalError, TimeoutError) as error:
                self._away_until_s = time.monotonic() + AWAY_S
                _log.warning("the audit log is spooled", extra={"reason": str(error) or "late"})
            else:
                return
        await asyncio.shield(self._spooled.add(row))

    def record_later(self, row: AuditRow) -> None:
        """Write the row in the background; it is lost if the process dies within a moment."""
        task = asyncio.create_task(self.record(row))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def stored(self, row: AuditRow) -> None:
        """Somebody else has added this row to the database: have it sealed."""
        self._echo(row)
        self._seal_soon()

    async def spool(self, row: AuditRow) -> None:
        """Write a row that may have come into the database, which did not say so."""
        self._echo(row)
        await asyncio.shield(self._spooled.add(row))

    async def close(self) -> None:
        """Finish what has begun, without waiting for a database that is away."""
        await asyncio.gather(*self._later, return_exceptions=True)
        tasks = [task for task in (self._sealing, self._draining) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._spool.rotate)

    async def _store(self, rows: Sequence[AuditRow]) -> None:
        await self._audit.add(rows)
        self._seal_soon()

    async def _keep(self, rows: Sequence[AuditRow]) -> None:
        try:
            await asyncio.to_thread(self._spool.add, rows)
        except OSError as error:
            for row in rows:
                tell_lost(json.dumps(row), str(error))
        self._drain_soon()

    def _seal_soon(self) -> None:
        self._to_seal = True
        if self._sealing is None or self._sealing.done():
            self._sealing = asyncio.create_task(self._seal(), name="seal the audit log")
            self._sealing.add_done_callback(_told)

    async def _seal(self) -> None:
        while self._to_seal:
            await asyncio.sleep(SEAL_S)
            self._to_seal = False
            try:
                while await self._audit.seal(GROUP) == GROUP:
                    pass
            except JournalUnavailable as error:
                self._to_seal = True
                _log.info("rows of the audit log are not sealed yet", extra={"reason": str(error)})
                await asyncio.sleep(AWAY_S)

    def _drain_soon(self) -> None:
        self._to_drain = True
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain(), name="drain the spool")
            self._draining.add_done_callback(_told)

    async def _drain(self) -> None:
        """Store spooled rows until none are left; also those of processes that are gone."""
        while self._to_drain:
            self._to_drain = False
            await asyncio.to_thread(self._spool.rotate)
            for path in await asyncio.to_thread(self._spool.left):
                try:
                    with self._spool.taken(path) as rows:
                        for first in range(0, len(rows or ()), GROUP):
                            await self._store((rows or ())[first : first + GROUP])
                except JournalError as error:
                    self._to_drain = True
                    _log.info("spooled rows wait", extra={"reason": str(error)})
                except OSError as error:
                    why = {"file": str(path), "reason": str(error)}
                    _log.error("spooled rows of the audit log can't be read", extra=why)
            if self._to_drain:
                await asyncio.sleep(AWAY_S)


def _silent(_: AuditRow) -> None:
    """Show nobody the row."""


def _seen(done: asyncio.Task[None]) -> None:
    if not done.cancelled():
        done.exception()  # whoever waits has it; there may be nobody left


def _told(done: asyncio.Task[None]) -> None:
    if not done.cancelled() and (error := done.exception()):
        _log.error("background work has failed", extra={"work": done.get_name()}, exc_info=error)
