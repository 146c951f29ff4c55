"""All that waits for a person, from the runs table; what is asked, from the requests' own facts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from relayline.api.runs.views import LinkMaker
from relayline.api.signing.cursors import Cursors, ListOf
from relayline.api.temporal.attention import Attention
from relayline.contracts.answers import InboxItem, InboxKind, InboxView
from relayline.contracts.calls import preview
from relayline.contracts.envelope import microseconds
from relayline.contracts.events import ApprovalRequested, InputRequested, MessageCompleted
from relayline.contracts.keys import message_key, requested_key
from relayline.contracts.runs import RunStatus
from relayline.journal.table import Listed, Position, RunFilter, Storage, Tenant
from relayline.projections.waits import OpenItem

SAID_CHARS = 2000
"""As much of what the model said is shown."""
READ = 500
"""Rows that are read at a time."""
NEVER_US = 2**62
"""When something without an expiry expires."""
_RAISE_LIMIT = "raise_limit"
_WAITING = frozenset({RunStatus.WAITING, RunStatus.PAUSED})
_CURSOR = re.compile(r"(\d{1,19})\|(\d{1,19})\|([^|]{1,400})")


class Urgency(NamedTuple):
    """The place of an item in the inbox; the lowest is the most urgent."""

    expires_us: int
    since_us: int
    item_id: str


@dataclass(frozen=True)
class Entry:
    """Something that waits for a person, as the run's row has it."""

    listed: Listed
    open: OpenItem | None
    """None: the run makes no progress."""

    @property
    def kind(self) -> InboxKind:
        """As in `InboxItem`."""
        if self.open is None:
            return "attention"
        return "limit" if self.open.tool == _RAISE_LIMIT else self.open.waiting.kind

    @property
    def item_id(self) -> str:
        """As in `InboxItem`."""
        id_ = self.open.waiting.id if self.open else None
        return f"{self.listed.row.run_id}/{id_ or self.kind}"

    @property
    def what(self) -> str:
        """One line for people."""
        return self.open.waiting.what if self.open else self.listed.attention or ""

    @property
    def since(self) -> datetime | None:
        """Since when it waits; of a run without progress, when it made the last."""
        return self.open.since if self.open else self.listed.row.updated_at

    @property
    def urgency(self) -> Urgency:
        """Its place in the inbox."""
        expires = self.open.expires_at if self.open else None
        return Urgency(
            NEVER_US if expires is None else microseconds(expires),
            0 if self.since is None else microseconds(self.since),
            self.item_id,
        )


@dataclass(frozen=True)
class InboxFilter:
    """Which items to show."""

    kinds: Set[InboxKind] = frozenset()
    """Any of these; empty: any at all."""
    agent: str | None = None


class Inbox:
    """What waits for a person, most urgent first.

    Every method raises `JournalUnavailable` if the journal does not answer.
    """

    def __init__(
        self, storage: Storage, links: LinkMaker, attention: Attention, cursors: Cursors
    ) -> None:
        """Create an inbox.

        Args:
            storage: The rows of the runs, and the facts of their requests.
            links: Makes the links of a run.
            attention: Is told when somebody looks.
            cursors: Makes the cursors of its pages.
        """
        self._cursors = cursors
        self._storage = storage
        self._links = links
        self._attention = attention

    async def page(
        self, tenant: Tenant, wanted: InboxFilter, limit: int, cursor: str | None = None
    ) -> InboxView:
        """At most `limit` items after the cursor that match; of none, only the total.

        Raises:
            BadRequest: it is not a cursor of the inbox.
        """
        of = ListOf("inbox", tenant, wanted)
        after = self._urgency(of, cursor) if cursor is not None else None
        found = sorted(await self.entries(tenant, wanted), key=lambda entry: entry.urgency)
        rest = [entry for entry in found if after is None or entry.urgency > after]
        page = rest[:limit]
        more = limit and len(rest) > limit
        return InboxView(
            items=tuple(await asyncio.gather(*(self.item(tenant, entry) for entry in page))),
            total=len(found),
            cursor=self._cursors.encode(of, *page[-1].urgency) if more else None,
        )

    def _urgency(self, of: ListOf, cursor: str) -> Urgency:
        expires_us, since_us, item_id = self._cursors.decode(of, cursor, _CURSOR)
        return Urgency(int(expires_us), int(since_us), item_id)

    async def entries(self, tenant: Tenant, wanted: InboxFilter) -> list[Entry]:
        """All that matches, in no order."""
        self._attention.look()
        found: dict[str, Listed] = {}  # a run may begin to wait between the two readings
        for rows in (
            RunFilter(statuses=_WAITING, agent=wanted.agent),
            RunFilter(attention=True, open=True, agent=wanted.agent),
        ):
            found |= await self._rows(tenant, rows)
        return [
            entry
            for listed in found.values()
            for entry in entries_of(listed)
            if not wanted.kinds or entry.kind in wanted.kinds
        ]

    async def of_run(self, tenant: Tenant, run_id: str) -> list[Entry]:
        """What waits in this run."""
        listed = await self._storage.listed(tenant, run_id)
        return [] if listed is None else [*entries_of(listed)]

    async def item(self, tenant: Tenant, entry: Entry) -> InboxItem:
        """The item with what is asked."""
        row = entry.listed.row
        asked = entry.open
        details = await self._details(tenant, entry)
        return InboxItem(
            item_id=entry.item_id,
            run_id=row.run_id,
            title=row.title,
            root=row.root,
            agent=row.agent,
            metadata=row.metadata,
            kind=entry.kind,
            id=asked.waiting.id if asked else None,
            what=entry.what,
            since=entry.since,
            expires_at=asked.expires_at if asked else None,
            links=self._links(row.run_id),
            **{"step": row.step, **details},
        )

    async def _details(self, tenant: Tenant, entry: Entry) -> Mapping[str, Any]:
        """What the request's own fact has, and what the model said in that step."""
        row = entry.listed.row
        if entry.open is None or (id_ := entry.open.waiting.id) is None:
            return {}
        fact = await self._storage.get(tenant, row.run_id, requested_key(id_))
        if fact is None:
            return {}
        step = fact.step or row.step
        found: dict[str, Any] = {
            "step": step,
            "said": await self._said(tenant, row.run_id, row.epoch, step),
        }
        body = fact.body()
        if isinstance(body, ApprovalRequested):
            found |= {
                "tool": body.tool,
                "server": body.server or None,
                "arguments": body.arguments,
                "parameters": body.parameters,
                "effects": body.effects,
                "why": body.why,
            }
        elif isinstance(body, InputRequested):
            found |= {
                "tool": body.tool or None,
                "server": body.server or None,
                "question": body.question,
                "data_schema": body.data_schema,
            }
        return found

    async def _said(self, tenant: Tenant, run_id: str, epoch: int, step: int) -> str | None:
        """The text of the step's answer; of an earlier epoch, if the run was reset after it."""
        for each in range(epoch, -1, -1):
            fact = await self._storage.get(tenant, run_id, message_key(each, step))
            if fact is not None:
                body = fact.body()
                text = body.text if isinstance(body, MessageCompleted) else ""
                return preview(text, SAID_CHARS) or None
        return None

    async def _rows(self, tenant: Tenant, wanted: RunFilter) -> dict[str, Listed]:
        """All rows that match, by run."""
        found: dict[str, Listed] = {}
        before: Position | None = None
        while True:
            page = await self._storage.list_runs(tenant, wanted, READ, before)
            found |= {listed.row.run_id: listed for listed in page}
            if len(page) < READ:
                return found
            before = page[-1].position


def entries_of(listed: Listed) -> Iterator[Entry]:
    """What waits in a run, in the order of its `waiting_for`."""
    if listed.row.status.ended:
        return
    for item in listed.row.open_items:
        yield Entry(listed, item)
    if listed.attention is not None:
        yield Entry(listed, None)
