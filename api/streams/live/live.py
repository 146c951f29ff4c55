"""`GET /v1/live`: one stream for a page, of a list, its counts, the inbox, the server and runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from starlette.requests import Request

from relayline.api.auth.scopes import principal_of
from relayline.api.errors import BadRequest, InvalidField, UnknownRun
from relayline.api.runs.filters import ListRequest
from relayline.api.runs.inbox import Inbox
from relayline.api.runs.listing import Listing
from relayline.api.serving.readiness import Readiness, known_to
from relayline.api.streams.event_filter import ALL_EVENTS, EventFilter
from relayline.api.streams.events import RunEvents
from relayline.api.streams.feed import Feed
from relayline.api.streams.live.boards import Board, Boards, Changed, Items, Shown, ShownWhole
from relayline.api.streams.live.page import FollowedRun, LivePage
from relayline.api.streams.live.reader import InboxReader
from relayline.api.streams.sse import SseResponse, Streams
from relayline.api.streams.viewer import Viewer
from relayline.contracts.principals import Principal, Scope
from relayline.contracts.runs import RUN_ID_PATTERN
from relayline.journal.table import RunTable, Tenant
from relayline.projections.selection import Selection

MAX_RUNS = 4
"""Runs that one page may follow."""
SYSTEM_S = 10.0
"""Seconds between two looks at the server's state."""
_CURSOR = re.compile(rf"({RUN_ID_PATTERN.strip('^$')}):(\d{{1,18}})")


class LiveRequest(NamedTuple):
    """What a page wants to see."""

    list_text: str | None
    """A filter of `GET /v1/runs`, as a query string; None: no list."""
    inbox: bool
    cursors: Mapping[str, int]
    """The runs to follow, with the newest event that the page has of each."""
    events: EventFilter = ALL_EVENTS
    """Which of their events."""


def cursors_of(runs: Sequence[str], last_event_id: str | None) -> Mapping[str, int]:
    """The cursor of each run that a page follows.

    Args:
        runs: `ID` or `ID:AFTER` of each.
        last_event_id: The id of the newest frame that the page has; its cursors take precedence.

    Raises:
        InvalidField: there are too many runs, or one is given twice.
        UnknownRun: no run can have such an id.
        BadRequest: a cursor is malformed.
    """
    if len(runs) > MAX_RUNS:
        raise InvalidField(
            f"run: {len(runs)} runs, at most {MAX_RUNS} are allowed", field="run", limit=MAX_RUNS
        )
    found: dict[str, int] = {}
    for text in runs:
        run_id, colon, _ = text.partition(":")
        if not re.fullmatch(RUN_ID_PATTERN, run_id):
            raise UnknownRun(run_id)
        if run_id in found:
            raise InvalidField(f"run: {run_id} is given more than once", field="run")
        found[run_id] = _cursor(text, "run")[1] if colon else 0
    newest = (_cursor(text, "Last-Event-ID") for text in (last_event_id or "").split(",") if text)
    return found | {run_id: seq for run_id, seq in newest if run_id in found}


def _cursor(text: str, field: str) -> tuple[str, int]:
    if not (parts := _CURSOR.fullmatch(text)):
        raise BadRequest(
            f"{field}: {text[:100]!r} is not `RUN_ID:SEQ`", slug="invalid-cursor", field=field
        )
    return parts[1], int(parts[2])


class Live:
    """Live pages; all of this process share what they read."""

    def __init__(
        self,
        table: RunTable,
        showing: tuple[Listing, Inbox, Readiness],
        following: tuple[RunEvents, Feed, Streams],
    ) -> None:
        self._listing, self._inbox, self._readiness = showing
        self._events, self._feed, self._streams = following
        self._boards = Boards(table)

    @property
    def boards(self) -> int:
        """Boards that are kept current for somebody."""
        return self._boards.kept

    async def stream(self, request: Request, tenant: Tenant, asked: LiveRequest) -> SseResponse:
        """A stream of frames; it has no end of its own.

        Raises:
            InvalidField: the filter is malformed.
            ApiError, CursorExpired, JournalUnavailable: as `RunEvents.stream`, for its runs.
        """
        wanted = None if asked.list_text is None else ListRequest.parse(asked.list_text, "list")
        newest = {
            run_id: await self._events.newest(tenant, run_id, cursor)
            for run_id, cursor in asked.cursors.items()
        }
        selected = {
            run_id: await self._events.selection(tenant, run_id, asked.events)
            for run_id in asked.cursors
        }
        slot = await self._streams.reserve(request)
        page = LivePage(self._boards, asked.cursors)
        page.shown = [
            *self._shown(page, tenant, wanted, asked),
            self._system_board(page, principal_of(request)),
        ]
        page.runs = [
            self._follow(page, (tenant, run_id), (asked.cursors[run_id], last), selected[run_id])
            for run_id, last in newest.items()
            if last is not None
        ]
        return self._streams.respond(page, slot)

    async def close(self) -> None:
        """Stop all reading."""
        await self._boards.close()

    def _follow(
        self,
        page: LivePage,
        whose: tuple[Tenant, str],
        place: tuple[int, int],
        selection: Selection | None,
    ) -> Viewer:
        """Follow the run from a cursor; the place is that and the newest `seq`."""
        viewer = self._feed.view(*whose, *place)
        followed = FollowedRun(page, viewer.channel, place[0], selection)
        viewer.leave()
        return followed

    def _shown(
        self, page: LivePage, tenant: Tenant, wanted: ListRequest | None, asked: LiveRequest
    ) -> Sequence[Shown]:
        """The boards of the page."""

        def enter(event: str, *key: str, make: Callable[[], Board]) -> Board:
            return self._boards.enter((event, tenant, *key), page, make)

        shown: list[Shown] = []
        if wanted is not None:
            text = asked.list_text or ""
            runs = partial(Board, "runs", partial(self._runs, tenant, wanted))
            counts = partial(Board, "counts", partial(self._counts, tenant, wanted))
            shown.append(Shown(enter("runs", text, make=runs)))
            shown.append(ShownWhole(enter("counts", text, make=counts)))
        if asked.inbox:
            shown.append(Shown(enter("inbox", make=partial(self._inbox_board, tenant))))
        return shown

    def _system_board(self, page: LivePage, asker: Principal | None) -> Shown:
        """As `/readyz` tells the asker."""
        whole = asker is not None and Scope.SYSTEM_READ in asker.scopes
        make = partial(Board, "system", partial(self._system, asker), SYSTEM_S)
        return ShownWhole(self._boards.enter(("system", whole), page, make))

    def _inbox_board(self, tenant: Tenant) -> Board:
        return Board("inbox", InboxReader(self._inbox, tenant).read)

    async def _runs(self, tenant: Tenant, wanted: ListRequest, _: Changed) -> Items:
        page = await self._listing.page(tenant, wanted.wanted, wanted.limit)
        return {item.run_id: item.model_dump_json().encode() for item in page.runs}

    async def _counts(self, tenant: Tenant, wanted: ListRequest, _: Changed) -> Items:
        of_any_status = replace(wanted.wanted, statuses=frozenset())
        counts = await self._listing.totals(tenant, of_any_status)
        return {"counts": counts.model_dump_json().encode()}

    async def _system(self, asker: Principal | None, _: Changed) -> Items:
        health = known_to(asker, await self._readiness.check())
        return {"system": health.model_dump_json().encode()}
