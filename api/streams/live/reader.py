"""The inbox of live pages: only runs that have changed are read again."""

from __future__ import annotations

import asyncio

from relayline.api.runs.inbox import Entry, Inbox, InboxFilter
from relayline.api.streams.live.boards import Changed, Items
from relayline.journal.table import Tenant

MAX_ITEMS = 200
"""The most urgent ones; the others move up."""
MAX_READ = 50
"""With more changed runs at once, the whole inbox is read."""


class InboxReader:
    """The inbox as one board shows it."""

    def __init__(self, inbox: Inbox, tenant: Tenant) -> None:
        self._inbox = inbox
        self._tenant = tenant
        self._entries: dict[str, list[Entry]] = {}
        self._texts: dict[tuple[str, str], bytes] = {}
        """Of the items shown, by id and line; what a request asks for never changes."""

    async def read(self, changed: Changed) -> Items:
        """The most urgent items, in order, given which runs have changed since the last reading."""
        if changed is None or len(changed) > MAX_READ:
            self._entries = {}
            for entry in await self._inbox.entries(self._tenant, InboxFilter()):
                self._entries.setdefault(entry.listed.row.run_id, []).append(entry)
        else:
            for run_id in changed:
                if entries := await self._inbox.of_run(self._tenant, run_id):
                    self._entries[run_id] = entries
                else:
                    self._entries.pop(run_id, None)
        waiting = (entry for entries in self._entries.values() for entry in entries)
        shown = sorted(waiting, key=lambda entry: entry.urgency)[:MAX_ITEMS]
        texts = await asyncio.gather(*map(self._text, shown))
        self._texts = {
            (entry.item_id, entry.what): text for entry, text in zip(shown, texts, strict=True)
        }
        return {entry.item_id: text for entry, text in zip(shown, texts, strict=True)}

    async def _text(self, entry: Entry) -> bytes:
        known = self._texts.get((entry.item_id, entry.what))
        return known or (await self._inbox.item(self._tenant, entry)).model_dump_json().encode()
