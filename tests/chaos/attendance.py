"""When any worker was at work, from what the supervisor and the workers have logged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import STOPPED_S, Fault

AT_WORK = ": at work"
_ENDED = re.compile(r"(worker-\d+) \(pid (\d+)\) ended")
_STOPPED_US = int(STOPPED_S[1] * 1e6)


class Span(NamedTuple):
    """A stretch of time, in microseconds since 1970."""

    begin_us: int
    end_us: int


def attendance(logs: Path, faults: Sequence[Fault]) -> list[Span]:
    """Stretches in which at least one worker was at work, in order; they don't overlap.

    A worker is at work from when it says so until it is killed, asked to stop, or stopped for a
    while.
    """
    ends: dict[str, list[tuple[int, int]]] = {}
    for at_us, text in log_lines(logs / "dev.log"):
        if found := _ENDED.match(text):
            ends.setdefault(found[1], []).append((at_us, int(found[2])))
    spans: list[Span] = []
    for log in logs.glob("worker-*.log"):
        for at_us, text in log_lines(log):
            if AT_WORK in text:
                ended = next((it for it in ends.get(log.stem, ()) if it[0] > at_us), None)
                spans += _lived(at_us, ended, faults)
    return _joined(spans)


def within(spans: Iterable[Span], begin_us: int, end_us: int) -> float:
    """Seconds of that time that these stretches cover."""
    covered = (min(end, end_us) - max(begin, begin_us) for begin, end in spans)
    return sum(max(0, it) for it in covered) / 1e6


def log_lines(log: Path) -> Iterable[tuple[int, str]]:
    """Lines that have a time, in microseconds since 1970, and their text."""
    for line in log.read_text(errors="replace").splitlines():
        stamp, _, rest = line.partition(" ")
        with suppress(ValueError):
            yield int(datetime.fromisoformat(stamp).timestamp() * 1e6), rest


def _lived(begin_us: int, ended: tuple[int, int] | None, faults: Sequence[Fault]) -> list[Span]:
    """One process from when it was at work: when it ended, with its pid, None if it did not."""
    if ended is None:  # its pid is unknown, and so is what was done to it
        last_us = max((it.at_us for it in faults), default=begin_us)
        return [Span(begin_us, max(begin_us, last_us))]
    end_us, pid = ended
    spans: list[Span] = []
    for fault in faults:
        if fault.target != "worker" or fault.whom != pid or not begin_us < fault.at_us < end_us:
            continue
        spans.append(Span(begin_us, fault.at_us))
        if fault.what != "pause":
            return spans
        begin_us = fault.at_us + _STOPPED_US
    return [*spans, Span(begin_us, end_us)] if begin_us < end_us else spans


def _joined(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.begin_us <= joined[-1].end_us:
            joined[-1] = joined[-1]._replace(end_us=max(joined[-1].end_us, span.end_us))
        else:
            joined.append(span)
    return joined
