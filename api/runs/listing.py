"""Lists of runs, newest first, from the runs table: exact, and without Temporal."""

from __future__ import annotations

import re

from relayline.api.runs.cursors import decode_cursor, encode_cursor
from relayline.api.runs.views import LinkMaker
from relayline.api.temporal.attention import Attention
from relayline.contracts.answers import RunCounts, RunList, RunListItem
from relayline.contracts.envelope import moment
from relayline.contracts.runs import RUN_ID_PATTERN
from relayline.journal.table import Listed, Position, RunFilter, RunTable, Tenant

_CURSOR = re.compile(rf"(\d{{1,18}})\|({RUN_ID_PATTERN.strip('^$')})")


class Listing:
    """Lists and counts runs.

    Every method raises `JournalUnavailable` if the journal does not answer.
    """

    def __init__(self, table: RunTable, links: LinkMaker, attention: Attention) -> None:
        """Create a list.

        Args:
            table: The rows of the runs.
            links: Makes their links.
            attention: Is told when somebody looks.
        """
        self._table = table
        self._links = links
        self._attention = attention

    async def page(
        self, tenant: Tenant, wanted: RunFilter, limit: int, cursor: str | None = None
    ) -> RunList:
        """At most `limit` runs after the cursor that match.

        Raises:
            BadRequest: it is not a cursor of this list.
        """
        self._attention.look()
        before = None if cursor is None else position_of(cursor)
        found = await self._table.list_runs(tenant, wanted, limit + 1, before)
        page = found[:limit]
        more = len(found) > limit
        return RunList(
            runs=tuple(map(self.item, page)), cursor=cursor_of(page[-1]) if more else None
        )

    async def counts(self, tenant: Tenant, wanted: RunFilter) -> RunCounts:
        """The number of runs that match, by status."""
        by_status = dict(await self._table.count_runs(tenant, wanted))
        return RunCounts(total=sum(by_status.values()), by_status=by_status)

    def item(self, listed: Listed) -> RunListItem:
        """The run as a list shows it."""
        row = listed.row
        return RunListItem(
            run_id=row.run_id,
            agent=row.agent,
            model=row.model,
            title=row.title,
            status=row.status,
            phase=row.phase,
            step=row.step,
            tool_calls=row.tool_calls,
            usage=row.usage,
            waiting_for=row.waiting_for,
            metadata=row.metadata,
            error=row.error,
            attention=listed.attention,
            batch=row.batch,
            parent=row.parent,
            forked_from=row.forked_from,
            created_at=moment(listed.position.created_us),
            updated_at=row.updated_at,
            ended_at=row.ended_at,
            links=self._links(row.run_id),
        )


def cursor_of(listed: Listed) -> str:
    """The cursor of the page that begins after this run."""
    return encode_cursor(*listed.position)


def position_of(cursor: str) -> Position:
    """The position of a cursor.

    Raises:
        BadRequest: it is not a cursor of this list.
    """
    created_us, run_id = decode_cursor(cursor, _CURSOR, "this list")
    return Position(int(created_us), run_id)
