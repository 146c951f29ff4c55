"""Who is told of a fact: receivers of its tenant that want it, and the one its run names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import TenantErased
from relayline.journal.rows import tenant_told
from relayline.journal.subscription import OpenEvents
from relayline.journal.webhooks import Receiver


class Note(NamedTuple):
    """A fact of which receivers must be told, with what the run was given."""

    run_id: str
    seq: int
    type: str
    at_us: int
    tenant: str
    agent: str
    webhook: str | None
    """The receiver that the run names."""


async def note_in(row: Sequence[Any], opened: OpenEvents) -> Note | None:
    """The note with what the journal has of it; None if the events are gone.

    Args:
        row: Run and `seq` of the fact, its type and time; type, key and data of `run.queued`, or of
            `run.started` where there is none.
        opened: Opens sealed events.

    Raises:
        Unreadable: they can't be opened in this process.
    """
    run_id, seq, kind, at_us, first_kind, key, data = row
    if kind is None or data is None:
        return None
    first = StoredEvent(run_id, 1, at_us, first_kind, None, None, key, data)
    try:
        [given] = await opened([first])
    except TenantErased:
        return None
    told = json.loads(given.data)
    tenant, agent, webhook = tenant_told(told), told["agent"], told.get("webhook")
    return Note(run_id, seq, kind, at_us, tenant, agent, webhook)


def told_of(note: Note, receivers: Iterable[Receiver]) -> Iterator[Receiver]:
    """Those of the receivers that are told of the fact.

    Who registers later is not told of what was before; a run names a receiver that it has made sure
    of, so its time does not matter.
    """
    for receiver in receivers:
        wants = receiver.events is None or note.type in receiver.events
        if receiver.tenant == note.tenant and wants and _is_meant(note, receiver):
            yield receiver


def _is_meant(note: Note, receiver: Receiver) -> bool:
    if receiver.webhook_id == note.webhook:
        return True
    if receiver.named_only or receiver.created_us > note.at_us:
        return False
    return receiver.agents is None or note.agent in receiver.agents


def delivery_id(webhook_id: str, run_id: str, seq: int) -> str:
    """The same whoever plans it, so that it is planned once."""
    digest = hashlib.sha256(f"{webhook_id}\0{run_id}\0{seq}".encode()).hexdigest()
    return f"dlv_{digest[:32]}"


def named_webhook_id(tenant: str, url: str, events: tuple[str, ...] | None) -> str:
    """The id of the receiver that a run names by its URL: the same for the same URL and events."""
    wanted = "" if events is None else ",".join(sorted(events))
    digest = hashlib.sha256(f"{tenant}\0{url}\0{wanted}".encode()).hexdigest()
    return f"wh_{digest[:32]}"
