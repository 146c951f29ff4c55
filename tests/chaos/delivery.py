"""What clients received, against the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relayline.contracts.events import TERMINAL_TYPES
from tests.chaos.checks import Check
from tests.chaos.observed import Connection, Observed


def complaints(run: Observed) -> Iterator[tuple[Check, str]]:
    """Gaps, doubles and differences, client by client."""
    for name, connections in run.clients.items():
        for connection in connections:
            yield from _in_order(name, connection)
            yield from _same(name, connection, run)
        yield from _union(name, connections, run)


def _in_order(name: str, connection: Connection) -> Iterator[tuple[Check, str]]:
    """The cursor's next event comes first, and then each next one."""
    before = connection.cursor
    for seq, _ in connection.frames:
        where = f"{name} at cursor {connection.cursor}: {seq} came after {before}"
        if seq <= before:
            yield Check.CLIENT_DOUBLE, where
        elif seq > before + 1:
            yield Check.CLIENT_GAP, where
        before = seq


def _same(name: str, connection: Connection, run: Observed) -> Iterator[tuple[Check, str]]:
    for seq, envelope in connection.frames:
        known = run.events[seq - 1] if 0 < seq <= len(run.events) else None
        if envelope != known:
            yield Check.CLIENT_SAME, f"{name} got {envelope}, the journal has {known}"


def _union(
    name: str, connections: Sequence[Connection], run: Observed
) -> Iterator[tuple[Check, str]]:
    """All that came in is the whole journal, if the run has ended, or up to an end."""
    got = {seq for connection in connections for seq, _ in connection.frames}
    newest = max(got, default=0)
    left = 0 < newest <= len(run.events) and run.events[newest - 1]["type"] in TERMINAL_TYPES
    ended = run.end is not None and run.end["type"] in TERMINAL_TYPES
    newest = len(run.events) if ended and not left else newest
    if missing := set(range(1, newest + 1)) - got:
        yield Check.CLIENT_GAP, f"{name} never got {sorted(missing)[:10]} of {newest}"
