"""Receivers of webhooks and their deliveries in SQL that both adapters run as it stands.

`?` stands for an argument and `{s}` for the schema; all numbers are 64 bits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter

from relayline.contracts.webhooks import TOLD_TYPES, DeliveryState, DeliveryTry
from relayline.journal import outbox_sql as sql
from relayline.journal.named.named_only import NamedOnly, naming, touching
from relayline.journal.outbox_sql import Row
from relayline.journal.planning import Note, delivery_id, note_in, told_of
from relayline.journal.port import Unreadable
from relayline.journal.subscription import OpenEvents
from relayline.journal.table import Tenant
from relayline.journal.webhooks import (
    LEASE,
    TRIPPED,
    Backlog,
    Claim,
    Delivery,
    Place,
    Receiver,
    Secrets,
)

_TRIES: Final = TypeAdapter(tuple[DeliveryTry, ...])
_LEASE_US = round(LEASE.total_seconds() * 1_000_000)


class Outbox(NamedOnly):
    """`journal.webhooks.Webhooks` on whatever runs statements in a transaction."""

    _opened: OpenEvents
    """Opens sealed events."""

    async def add(self, receiver: Receiver, secret: str) -> Receiver:
        """As in the port."""
        it = receiver
        lists = (_dumped(it.events), _dumped(it.agents))
        row = (it.webhook_id, it.tenant, it.url, *lists, int(it.named_only), it.secret_id)
        *_, found = await self._run(
            touching(it.tenant, it.webhook_id, it.created_us),
            (sql.ADD, (*row, it.created_us, it.created_us)),
            (sql.KEEP_KEY, (it.secret_id, secret)),
            (sql.receivers("webhook_id = ?"), (it.webhook_id, 1)),
        )
        return _receiver(found[0])

    async def receiver(self, tenant: Tenant, webhook_id: str) -> Receiver | None:
        """As in the port."""
        where, theirs = sql.of_tenant(tenant)
        query = sql.receivers(f"webhook_id = ? AND {where}")
        [found] = await self._run_of(tenant, (query, (webhook_id, *theirs, 1)))
        return _receiver(found[0]) if found else None

    async def receivers(
        self, tenant: Tenant, limit: int, before: Place | None = None
    ) -> Sequence[Receiver]:
        """As in the port."""
        where, theirs = sql.of_tenant(tenant)
        after, place = sql.after(before, "webhook_id")
        query = sql.receivers(f"{where} AND {after}")
        [found] = await self._run_of(tenant, (query, (*theirs, *place, limit)))
        return [_receiver(row) for row in found]

    async def count(self, tenant: str) -> int:
        """As in the port."""
        [found] = await self._run_of(tenant, (sql.COUNT, (tenant,)))
        return int(found[0][0])

    async def remove(self, tenant: Tenant, webhook_id: str) -> bool:
        """As in the port."""
        where, theirs = sql.of_tenant(tenant)
        one = (webhook_id, *theirs)
        *_, found = await self._run_of(
            tenant,
            (f"{sql.LOCK} AND {where}", one),  # as planning does first
            (sql.REMOVE_KEY.replace("{where}", where), (*one, webhook_id)),
            (sql.REMOVE_NAMES.replace("{where}", where), (*one, webhook_id)),
            (sql.REMOVE_DELIVERIES.replace("{where}", where), one),
            (sql.REMOVE.replace("{where}", where), one),
        )
        return bool(found)

    async def secrets(self, secret_id: str) -> Secrets | None:
        """As in the port."""
        [found] = await self._run((sql.SECRETS, (secret_id,)))
        return Secrets(*found[0]) if found else None

    async def rotate(self, secret_id: str, secret: str, now_us: int) -> Secrets:
        """As in the port."""
        until_us = Secrets(secret).rotated(secret, now_us).old_until_us
        _, found = await self._run(
            (sql.ROTATE, (secret_id, secret, until_us)), (sql.SECRETS, (secret_id,))
        )
        return Secrets(*found[0])

    async def disable(self, webhook_id: str, reason: str, now_us: int) -> bool:
        """As in the port."""
        found, _ = await self._run(
            (sql.DISABLE, (now_us, reason, webhook_id)), (sql.HOLD, (webhook_id,))
        )
        return bool(found)

    async def enable(self, tenant: Tenant, webhook_id: str, now_us: int) -> Receiver | None:
        """As in the port."""
        where, theirs = sql.of_tenant(tenant)
        _, _, _, found = await self._run_of(
            tenant,
            (sql.ENABLE.replace("{where}", where), (webhook_id, *theirs)),
            (sql.UNHOLD.replace("{where}", where), (webhook_id, *theirs)),
            (sql.UNHOLD_FIRST.replace("{where}", where), (now_us, webhook_id, *theirs)),
            (sql.receivers(f"webhook_id = ? AND {where}"), (webhook_id, *theirs, 1)),
        )
        return _receiver(found[0]) if found else None

    async def plan(self, limit: int) -> int:
        """As in the port.

        Notes that two plan at the same time lead to the same deliveries, which are written once.
        """
        place: tuple[object, ...] = ("", 0)
        read: list[tuple[Row, Note | None]] = []
        unreadable: Unreadable | None = None
        while not read:
            [found] = await self._run((sql.NOTES, (*place, limit)))
            for row in found:
                try:
                    read.append((row, await note_in(row, self._opened)))
                except Unreadable as error:
                    unreadable = error
            if len(found) < limit:
                break
            place = (found[-1][0], found[-1][1])
        if read:
            await self._plan(read)
        if unreadable:
            raise unreadable
        return len(read)

    async def _plan(self, read: Sequence[tuple[Row, Note | None]]) -> None:
        """Write the deliveries of these notes, and drop the notes."""
        notes = [note for _, note in read if note]
        receivers = await self._receivers_for(notes)
        told = [
            (note, receiver)
            for note in notes
            if note.type in TOLD_TYPES
            for receiver in told_of(note, receivers)
        ]
        named = {note.webhook for note in notes if note.webhook}
        await self._run(
            *[(sql.LOCK, (id_,)) for id_ in sorted({it.webhook_id for _, it in told} | named)],
            *naming(notes),
            *[(sql.PLAN, _planned(note, receiver.webhook_id)) for note, receiver in told],
            *[(sql.DROP_NOTE, (row[0], row[1])) for row, _ in read],
        )

    async def _receivers_for(self, notes: Sequence[Note]) -> list[Receiver]:
        tenants = sorted({note.tenant for note in notes})
        named = sorted({note.webhook for note in notes if note.webhook})
        found = await self._run(
            *[(sql.OF_TENANT, (tenant,)) for tenant in tenants],
            *[(sql.NAMED, (webhook_id,)) for webhook_id in named],
        )
        receivers = {row[0]: _receiver(row) for rows in found for row in rows}
        return list(receivers.values())

    async def due(self, now_us: int, limit: int) -> Sequence[str]:
        """As in the port."""
        [found] = await self._run((sql.DUE, (now_us, now_us, now_us, limit)))
        return [row[0] for row in found]

    async def claim(self, webhook_id: str, owner: str, now_us: int, limit: int) -> Claim | None:
        """As in the port."""
        taken, secrets, due = await self._run(
            (sql.CLAIM, (owner, now_us + _LEASE_US, webhook_id)),
            (sql.SECRETS_OF, (webhook_id,)),
            (sql.CLAIMED, (webhook_id, owner, now_us, now_us, limit)),
        )
        if not taken or not secrets:
            return None
        receiver = _receiver(taken[0])
        few = due[:1] if receiver.strikes >= TRIPPED else due
        return Claim(receiver, Secrets(*secrets[0]), [_delivery(row) for row in few])

    async def record(
        self, owner: str, delivery: Delivery, now_us: int, resume_us: int | None
    ) -> bool:
        """As in the port."""
        it = delivery
        whose = (it.webhook_id, owner)
        lease = now_us + _LEASE_US
        health = (
            (sql.HEALTHY, (lease, *whose))
            if resume_us is None
            else (sql.STRUCK, (lease, now_us, resume_us, *whose))
        )
        tries = _TRIES.dump_json(it.tries, exclude_none=True).decode()
        written = (it.state.value, tries, it.failures, it.next_us, it.until_us)
        taken, *_ = await self._run(
            health,
            (sql.RECORD, (*written, it.delivery_id, *whose)),
            (sql.NEXT, (now_us, it.webhook_id, it.run_id, *whose)),
        )
        return bool(taken)

    async def release(self, webhook_id: str, owner: str) -> int | None:
        """As in the port."""
        _, found = await self._run(
            (sql.RELEASE, (webhook_id, owner)), (sql.NEXT_DUE, (webhook_id,))
        )
        times = [] if not found or found[0][0] is None else [*found[0]]
        return max(times, default=None)

    async def deliveries(
        self,
        tenant: Tenant,
        webhook_id: str,
        wanted: tuple[str | None, DeliveryState | None],
        limit: int,
        before: Place | None = None,
    ) -> Sequence[Delivery]:
        """As in the port."""
        after, place = sql.after(before, "delivery_id")
        filters = [("run_id = ?", wanted[0]), ("state = ?", wanted[1] and wanted[1].value)]
        given = [(text, value) for text, value in filters if value is not None]
        of, theirs = sql.of_tenant(tenant)
        where = " AND ".join(["webhook_id = ?", of, *(text for text, _ in given), after])
        arguments = (webhook_id, *theirs, *(value for _, value in given), *place, limit)
        [found] = await self._run_of(tenant, (sql.deliveries(where), arguments))
        return [_delivery(row) for row in found]

    async def delivery(self, tenant: Tenant, delivery_id: str) -> Delivery | None:
        """As in the port."""
        where, theirs = sql.of_tenant(tenant)
        query = sql.deliveries(f"delivery_id = ? AND {where}")
        [found] = await self._run_of(tenant, (query, (delivery_id, *theirs, 1)))
        return _delivery(found[0]) if found else None

    async def redeliver(self, tenant: Tenant, delivery_id: str, now_us: int) -> None:
        """As in the port."""
        where, theirs = sql.of_tenant(tenant)
        query = sql.REDELIVER.replace("{where}", where)
        await self._run_of(tenant, (query, (now_us, delivery_id, *theirs)))

    async def backlog(self) -> Backlog:
        """As in the port."""
        queries = (sql.BACKLOG, sql.UNTOLD, sql.HEALTH)
        found = await self._run(*((query, ()) for query in queries))
        return Backlog(*(number for rows in found for number in rows[0]))

    async def erase(self, tenant: Tenant, run_id: str) -> None:
        """As in the port."""
        where, theirs = sql.of_tenant(tenant)
        await self._run_of(
            tenant,
            (sql.ERASE.replace("{where}", where), (run_id, *theirs)),
            (sql.ERASE_NOTES.replace("{where}", where), (run_id, run_id, *theirs)),
        )


def _dumped(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else json.dumps(names)


def _loaded(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(json.loads(text))


def _receiver(row: Row) -> Receiver:
    webhook_id, tenant, url, events, agents, named_only, *rest = row
    lists = (_loaded(events), _loaded(agents))
    return Receiver(webhook_id, tenant, url, *lists, bool(named_only), *rest)


def _delivery(row: Row) -> Delivery:
    *place, state, tries, failures, next_us, until_us, created_us = row
    id_, webhook_id, tenant, run_id, seq, kind = place
    loaded = _TRIES.validate_json(tries)
    judged = (DeliveryState(state), loaded, failures)
    times = (next_us, until_us, created_us)
    return Delivery(id_, webhook_id, tenant, run_id, seq, kind, *judged, *times)


def _planned(note: Note, webhook_id: str) -> tuple[object, ...]:
    planned = delivery_id(webhook_id, note.run_id, note.seq)
    return (planned, note.type, note.at_us, note.at_us, webhook_id, note.run_id, note.seq)
