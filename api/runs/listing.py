"""Lists of runs, newest first, from the runs table: exact, and without Temporal."""

from __future__ import annotations

import re

from relayline.api.runs.views import LinkMaker
from relayline.api.signing.cursors import Cursors, ListOf
from relayline.api.temporal.attention import Attention
from relayline.contracts.answers import Now, RunCounts, RunList, RunListItem, RunTotals
from relayline.contracts.envelope import moment
from relayline.contracts.messages import UsageSum
from relayline.contracts.runs import RUN_ID_PATTERN
from relayline.journal.table import Listed, Position, RunFilter, RunTable, Tenant

_CURSOR = re.compile(rf"(\d{{1,18}})\|({RUN_ID_PATTERN.strip('^$')})")


class Listing:
    """Lists and counts runs.

    Every method raises `JournalUnavailable` if the journal does not answer.
    """

    def __init__(
        self, table: RunTable, links: LinkMaker, attention: Attention, cursors: Cursors
    ) -> None:
        """Create a list.

        Args:
            table: The rows of the runs.
            links: Makes their links.
            attention: Is told when somebody looks.
            cursors: Makes the cursors of its pages.
        """
        self._cursors = cursors
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
        of = ListOf("runs", tenant, wanted)
        before = None if cursor is None else self._position(of, cursor)
        found = await self._table.list_runs(tenant, wanted, limit + 1, before)
        page = found[:limit]
        more = len(found) > limit
        following = self._cursors.encode(of, *page[-1].position) if more else None
        return RunList(runs=tuple(map(self.item, page)), cursor=following)

    async def counts(self, tenant: Tenant, wanted: RunFilter) -> RunCounts:
        """The number of runs that match with what they have used, by status."""
        found = await self._table.sum_runs(tenant, wanted)
        by_status = {status: it.runs for status, it in found.items()}
        usage = {status: it.usage for status, it in found.items()}
        return RunCounts(
            total=sum(by_status.values()),
            by_status=by_status,
            usage=sum(usage.values(), start=UsageSum()),
            usage_by_status=usage,
        )

    async def totals(self, tenant: Tenant, wanted: RunFilter) -> RunTotals:
        """The number of runs that match, by status."""
        by_status = dict(await self._table.count_runs(tenant, wanted))
        return RunTotals(total=sum(by_status.values()), by_status=by_status)

    def _position(self, of: ListOf, cursor: str) -> Position:
        created_us, run_id = self._cursors.decode(of, cursor, _CURSOR)
        return Position(int(created_us), run_id)

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
            turn=row.turn,
            tool_calls=row.tool_calls,
            usage=row.usage,
            waiting_for=row.waiting_for,
            metadata=row.metadata,
            error=row.error,
            attention=listed.attention,
            batch=row.batch,
            parent=row.parent,
            root=row.root,
            child_usage=row.child_usage,
            forked_from=row.forked_from,
            created_at=moment(listed.position.created_us),
            start_at=row.start_at,
            updated_at=row.updated_at,
            ended_at=row.ended_at,
            now=Now(kind=row.now[0], what=row.now[1]) if row.now else None,
            line=row.line.whole,
            links=self._links(row.run_id),
        )
