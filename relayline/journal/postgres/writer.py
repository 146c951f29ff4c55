"""The writer of the Postgres journal: concurrent appends share one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncpg import Record

from relayline.journal.access.audit import AuditRow
from relayline.journal.access.stored_audit import added
from relayline.journal.postgres.database import Database, is_of_one, was_rolled_back
from relayline.journal.postgres.run_rows import ROWS_CHANNEL, fold_in
from relayline.journal.postgres.sql import (
    APPEND,
    FOLDING,
    HELD,
    NOBODY,
    NOTIFY_ALL,
    channel_of,
    has_new_events,
)
from relayline.journal.postgres.webhooks import run_here
from relayline.journal.rows import NewRow
from relayline.journal.tenants.known_rows import KnownRows

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

GROUP = 200
"""The most appends in one transaction."""


@dataclass(eq=False, frozen=True, slots=True)
class _Append:
    run_id: str
    arguments: tuple[object, ...]
    holder: tuple[object, ...] | None
    rows: Sequence[NewRow]
    """The events, if some are facts that change the run's row; else empty."""
    audit: Sequence[AuditRow]
    future: asyncio.Future[Record]


class Writer:
    """Sends appends in groups: all waiting appends share one round trip and one commit.

    A few lanes work concurrently, each with one connection and one group at a time. A group locks
    the headers of its runs in the order of their ids, so that groups can't deadlock. A refused
    append leaves nothing behind and does not affect the others.

    Postgres commits transactions with a NOTIFY one after another. So only transactions that do not
    wait for the disk include their NOTIFY; the others send it in a transaction of its own, which is
    missing if the writer dies in between.
    """

    def __init__(self, database: Database, known: KnownRows, lanes: int, *, relaxed: bool) -> None:
        self._database = database
        self._lanes = lanes
        self.relaxed = relaxed
        """True if commits do not wait for the disk; appends must then notify themselves."""
        self._waiting: asyncio.Queue[_Append | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._known = known

    async def submit(
        self,
        run_id: str,
        arguments: tuple[object, ...],
        *,
        holder: tuple[object, ...] | None = None,
        rows: Sequence[NewRow] = (),
        audit: Sequence[AuditRow] = (),
    ) -> Record:
        """Run `APPEND`, also for a holder; returns its result once it is committed.

        With `rows`, the same transaction folds these events into the run's row; unless the append
        is refused, it also adds `audit` to the audit log.

        With `relaxed`, the append survives the death of any Relayline process and a restart of
        Postgres, but perhaps not a crash of Postgres or its machine.

        Raises:
            Unstorable: Postgres can't store this; the other appends are not affected.
            JournalUnavailable: Postgres did not answer, or the writer is closed.
        """
        if self._closed:
            raise self._database.closed()
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._work()) for _ in range(self._lanes)]
        future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(_Append(run_id, arguments, holder, rows, audit, future))
        return await future

    async def close(self) -> None:
        """Commit the submitted appends and drop the connections; safe to call twice."""
        if not self._closed:
            self._closed = True
            for _ in self._tasks:
                self._waiting.put_nowait(None)
        await asyncio.gather(*self._tasks)

    async def _work(self) -> None:
        """Run one lane."""
        connection: Connection | None = None
        while group := await self._take():
            connection = await self._send(connection, group)
        if connection is not None:
            connection.terminate()

    async def _take(self) -> list[_Append]:
        """Wait for appends and take all that wait; empty if there will be no more."""
        group: list[_Append] = []
        while len(group) < GROUP and (not group or not self._waiting.empty()):
            append = await self._waiting.get()
            if append is None:
                if group:
                    self._waiting.put_nowait(None)
                break
            group.append(append)
        return sorted(group, key=lambda append: append.run_id)

    async def _send(self, connection: Connection | None, group: list[_Append]) -> Connection | None:
        """Commit the group and answer its callers; returns the connection if it is usable.

        If Postgres can't store one of the appends, it rolls back all of them. Then each is sent
        again alone, so that only that one is refused.
        """
        while True:
            try:
                if connection is None or connection.is_closed():
                    connection = await self._database.connect(relaxed=self.relaxed)
                answers = await _append(connection, group, self._known)
            except Exception as error:  # noqa: BLE001  the callers get it
                if connection is not None:
                    connection.terminate()
                if len(group) > 1 and is_of_one(error):
                    return await self._send_each(group)
                if not was_rolled_back(error):
                    _refuse(group, self._database.translated(error))
                    return None
            else:
                _answer(group, answers)
                return (
                    connection if self.relaxed else await self._notify(connection, group, answers)
                )

    async def _send_each(self, group: list[_Append]) -> Connection | None:
        connection: Connection | None = None
        for append in group:
            connection = await self._send(connection, [append])
        return connection

    async def _notify(
        self, connection: Connection, group: list[_Append], answers: list[Record]
    ) -> Connection | None:
        """Notify the watchers; returns the connection if it is usable. A failure loses nothing."""
        told = _to_tell(group, answers)
        try:
            if told:
                await connection.fetch(NOTIFY_ALL, *map(list, zip(*told, strict=True)))
        except Exception:  # noqa: BLE001  watchers check all runs within `LOOK_S`
            connection.terminate()
            return None
        return connection


def _statement(group: list[_Append], append: str) -> tuple[str, list[tuple[object, ...]]]:
    """One statement for the whole group, with the arguments of each append."""
    if all(it.holder is None for it in group):
        return append, [it.arguments for it in group]
    return HELD[append], [(*it.arguments, *(it.holder or NOBODY)) for it in group]


async def _append(connection: Connection, group: list[_Append], known: KnownRows) -> list[Record]:
    """Commit the group.

    Where facts change rows, this takes four round trips, and one more for rows of the audit log;
    else one.
    """
    if not any(append.rows or append.audit for append in group):
        return await connection.fetchmany(*_statement(group, APPEND))
    async with connection.transaction():
        answers = await connection.fetchmany(*_statement(group, FOLDING))
        new = [
            (append.run_id, append.rows, answer)
            for append, answer in zip(group, answers, strict=True)
            if append.rows and has_new_events(answer)
        ]
        await fold_in(connection, known, new)
        audit = [
            row
            for append, answer in zip(group, answers, strict=True)
            if answer["refusal"] is None
            for row in append.audit
        ]
        for statement in added(audit):
            await run_here(connection, statement)
    return answers


def _to_tell(group: list[_Append], answers: list[Record]) -> set[tuple[str, str]]:
    """The channels to notify, with the runs.

    A repeated append tells of the row again: perhaps the first one died before it could.
    """
    told: set[tuple[str, str]] = set()
    for append, answer in zip(group, answers, strict=True):
        if has_new_events(answer):
            told.add((channel_of(append.run_id), append.run_id))
        if append.rows and answer["refusal"] is None:
            told.add((ROWS_CHANNEL, append.run_id))
    return told


def _answer(group: list[_Append], answers: list[Record]) -> None:
    for append, answer in zip(group, answers, strict=True):
        if not append.future.done():  # done: the caller was cancelled
            append.future.set_result(answer)


def _refuse(group: list[_Append], error: Exception) -> None:
    for append in group:
        if not append.future.done():
            append.future.set_exception(error)
