"""Lists runs newest first; Temporal itself orders them differently.

Temporal's SQL visibility has no ORDER BY: it lists open executions first, then closed ones by
closing time. So a page comes from a window of start times that is small enough to read whole, and
is sorted here.
"""

from __future__ import annotations

import base64
import binascii
import math
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from relayline.api.errors import BadRequest
from relayline.api.runs.views import LinkMaker
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import StuckRuns
from relayline.contracts.answers import RunList, RunListItem
from relayline.contracts.runs import SEARCH_AGENT, SEARCH_STATUS, RunStatus
from relayline.workflows.agent_run import AgentRun

WINDOW = 500
"""The most executions in a window; at least three times a page."""
_SPAN_MIN_S = 0.001
_SPAN_MAX_S = 20 * 365 * 86_400.0
_BISECTIONS = 24
_EXECUTION_STATUS = {
    RunStatus.COMPLETED: "Completed",
    RunStatus.FAILED: "Failed",
    RunStatus.CANCELLED: "Canceled",
    RunStatus.TERMINATED: "Terminated",
    RunStatus.TIMED_OUT: "TimedOut",
}


class ListCursor(NamedTuple):
    """The position of a run in the list; greater ones come first."""

    started_at: datetime
    run_id: str

    def encode(self) -> str:
        """The cursor as text."""
        text = f"{self.started_at.isoformat()}|{self.run_id}"
        return base64.urlsafe_b64encode(text.encode()).decode()

    @classmethod
    def decode(cls, cursor: str) -> ListCursor:
        """The position of a cursor.

        Raises:
            BadRequest: it is not a cursor of this list.
        """
        try:
            text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
            started_at, _, run_id = text.partition("|")
            return cls(datetime.fromisoformat(started_at).astimezone(UTC), run_id)
        except (ValueError, OverflowError, binascii.Error) as error:
            raise BadRequest(
                "cursor: not a cursor of this list", slug="invalid-cursor", field="cursor"
            ) from error


class Listing:
    """Lists runs, newest first."""

    def __init__(self, gateway: Gateway, stuck_runs: StuckRuns, links: LinkMaker) -> None:
        self._gateway = gateway
        self._stuck_runs = stuck_runs
        self._links = links

    async def page(
        self, status: RunStatus | None, agent: str | None, limit: int, cursor: str | None
    ) -> RunList:
        """At most `limit` runs after the cursor that match; `agent` must be a valid agent name.

        Raises:
            BadRequest: it is not a cursor of this list.
            TemporalUnavailable: Temporal can't be asked.
        """
        before = ListCursor.decode(cursor) if cursor is not None else None
        page, after = await newest(self._gateway, query_for(status, agent), limit, before)
        attention = await self._stuck_runs.reasons(page)
        runs = tuple(map(self._item, page, attention))
        return RunList(runs=runs, cursor=after.encode() if after else None)

    def _item(self, execution: Execution, attention: str | None) -> RunListItem:
        request, memo = execution.request, execution.memo
        return RunListItem(
            run_id=execution.run_id,
            agent=request.agent if request else None,
            model=request.model if request else None,
            status=execution.status,
            step=memo.step,
            waiting_for=() if execution.status.ended else memo.waiting_for,
            attention=attention,
            created_at=execution.submitted_at,
            ended_at=execution.closed_at,
            links=self._links(execution.run_id),
        )


def query_for(status: RunStatus | None, agent: str | None) -> str:
    """The visibility query of a filter; `agent` must be a valid agent name."""
    parts = [f"WorkflowType = '{AgentRun.__name__}'", "ExecutionStatus != 'ContinuedAsNew'"]
    if agent is not None:
        parts.append(f"{SEARCH_AGENT} = '{agent}'")
    match status:
        case None:
            pass
        case RunStatus.TERMINATED | RunStatus.TIMED_OUT | RunStatus.FAILED:
            parts.append(f"ExecutionStatus = '{_EXECUTION_STATUS[status]}'")
        case RunStatus.CANCELLED:
            parts.append(f"({SEARCH_STATUS} = '{status}' OR ExecutionStatus = 'Canceled')")
        case RunStatus.COMPLETED:
            parts.append(f"{SEARCH_STATUS} = '{status}' AND ExecutionStatus = 'Completed'")
        case _:
            parts.append(f"{SEARCH_STATUS} = '{status}' AND ExecutionStatus = 'Running'")
    return " AND ".join(parts)


async def newest(
    gateway: Gateway, query: str, limit: int, before: ListCursor | None, window: int = WINDOW
) -> tuple[list[Execution], ListCursor | None]:
    """At most `limit` executions, newest first, and the next cursor; None at the end."""
    upper = before.started_at if before else datetime.now(UTC) + timedelta(minutes=5)
    query = f"{query} AND StartTime <= '{_stamp(upper)}'"
    lower = await _lower_bound(gateway, query, upper, (2 * limit, window))
    if lower is not None:
        query = f"{query} AND StartTime >= '{_stamp(lower)}'"
    found = [
        item for item in await _all(gateway, query) if before is None or _cursor(item) < before
    ]
    found.sort(key=_cursor, reverse=True)
    page = found[:limit]
    more = page and (lower is not None or len(found) > limit)
    return page, _cursor(page[-1]) if more else None


async def _lower_bound(
    gateway: Gateway, query: str, upper: datetime, bounds: tuple[int, int]
) -> datetime | None:
    """The start of a window below `upper` with a count of executions within `bounds`.

    None when everything fits. At least two pages, because runs that started at `upper` itself may
    have been listed already.
    """
    least, most = bounds
    if await gateway.count(query) <= most:
        return None
    short, long = math.log(_SPAN_MIN_S), math.log(_SPAN_MAX_S)
    for _ in range(_BISECTIONS):
        middle = (short + long) / 2
        lower = upper - timedelta(seconds=math.exp(middle))
        count = await gateway.count(f"{query} AND StartTime >= '{_stamp(lower)}'")
        if count < least:
            short = middle
        elif count > most:
            long = middle
        else:
            break
    return upper - timedelta(seconds=math.exp(long if count < least else middle))


async def _all(gateway: Gateway, query: str) -> list[Execution]:
    found: list[Execution] = []
    token: bytes | None = None
    while True:
        page = await gateway.list_page(query, 200, token)
        found.extend(page.executions)
        token = page.next_token
        if not token:
            return found


def _cursor(execution: Execution) -> ListCursor:
    return ListCursor(execution.started_at, execution.run_id)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
