"""Who is late, whatever clocks, delays and gaps there are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relayline.runtime.beats.window import LEAST_READS, Reading, Timing, Window

TIMING = Timing(beat_s=0.5, patience_s=1.0)
STEP_S = TIMING.read_s


class Watcher:
    """A watcher whose clock the test turns; it beats by itself."""

    def __init__(self, start_s: float = 0.0) -> None:
        self.now_s = self.beaten_s = start_s
        self.mine = 1
        self.window = Window("me", TIMING)

    def read(
        self, after_s: float = STEP_S, *, beats: bool = True, late_s: float = 0.0, **others: int
    ) -> frozenset[str]:
        self.now_s += after_s
        if beats:
            self.beaten_s, self.mine = self.now_s, self.mine + 1
        counters = {"me": self.mine, **others}
        return self.window.observe(Reading(self.now_s, self.beaten_s, self.mine, counters, late_s))

    def reads_until_late(self, most: int = 100, **others: Any) -> float | None:
        """Seconds until somebody is late, None if nobody is."""
        begun_s = self.now_s
        for _ in range(most):
            if self.read(**others):
                return self.now_s - begun_s
        return None


def test_who_stands_still_for_the_patience_is_late_and_nobody_before() -> None:
    watcher = Watcher()
    watcher.read(other=7)
    assert watcher.reads_until_late(other=7) == pytest.approx(TIMING.patience_s)
    assert not watcher.read(other=8), "it beats again"


def test_few_reads_show_nothing_however_far_apart() -> None:
    watcher = Watcher()
    watcher.read(other=7)
    for _ in range(LEAST_READS - 2):
        assert not watcher.read(0.9, other=7)
    assert watcher.read(0.9, other=7)


@pytest.mark.parametrize("gap_s", [TIMING.gap_s + 0.1, 30.0, 3600.0, -1.0, -3600.0])
def test_a_gap_or_a_step_of_the_clock_begins_the_window_anew(gap_s: float) -> None:
    watcher = Watcher(10_000)
    for _ in range(5):
        watcher.read(other=7)
    assert not watcher.read(gap_s, other=7)
    assert watcher.reads_until_late(other=7) == pytest.approx(TIMING.patience_s)


def test_without_beats_of_its_own_a_watcher_judges_nobody() -> None:
    watcher = Watcher()
    assert not any(watcher.read(beats=False, other=7) for _ in range(200) if watcher.now_s > 1.1)


def test_a_read_that_lacks_the_watcher_s_own_beat_shows_nothing() -> None:
    watcher = Watcher()
    for _ in range(100):
        watcher.now_s += STEP_S
        stale = Reading(watcher.now_s, watcher.now_s, 9, {"me": 8, "other": 7})
        assert not watcher.window.observe(stale)


def test_a_failed_read_begins_the_window_anew() -> None:
    watcher = Watcher()
    for _ in range(7):
        watcher.read(other=7)
    watcher.window.forget()
    assert not watcher.read(other=7)
    assert watcher.reads_until_late(other=7) == pytest.approx(TIMING.patience_s)


def test_a_worker_that_has_never_beaten_or_has_left_is_not_judged() -> None:
    watcher = Watcher()
    assert watcher.reads_until_late() is None
    while not watcher.read(other=7):
        pass
    assert not watcher.read()


def test_what_delays_the_watcher_excuses_the_others() -> None:
    """A lock on the table holds up everybody; the watcher is the first to get through."""
    watcher = Watcher()
    watcher.read(other=7)
    assert not watcher.read(0.95, late_s=0.95 - STEP_S, other=7)
    assert not any(watcher.read(other=7) for _ in range(3))


class Fleet(RuleBasedStateMachine):
    """A watcher and three others; the watcher's clock, reads and beats may fail at any time.

    The laws: whoever beat within the last `patience_s` of true time is never late; whoever is dead
    is late in the end, once the watcher reads and beats as it should.
    """

    NAMES = ("a", "b", "c")

    def __init__(self) -> None:
        super().__init__()
        self.true_s = 0.0
        self.watcher = Watcher()
        self.counters = dict.fromkeys(self.NAMES, 1)
        self.beaten_s = dict.fromkeys(self.NAMES, 0.0)
        self.dead: set[str] = set()
        self.late: frozenset[str] = frozenset()

    def _read(self, after_s: float, *, beats: bool = True) -> None:
        self.true_s += after_s
        self.late = self.watcher.read(after_s, beats=beats, **self.counters)

    @rule(name=st.sampled_from(NAMES))
    def beat(self, name: str) -> None:
        if name not in self.dead:
            self.counters[name] += 1
            self.beaten_s[name] = self.true_s
            self.late -= {name}

    @rule(name=st.sampled_from(NAMES))
    def die(self, name: str) -> None:
        self.dead.add(name)

    @rule(after_s=st.floats(0.001, 5), beats=st.booleans())
    def read(self, after_s: float, *, beats: bool) -> None:
        self._read(after_s, beats=beats)

    @rule(after_s=st.floats(0.001, 60))
    def suspended(self, after_s: float) -> None:
        """The watcher is stopped; nothing reads or beats."""
        self.true_s += after_s
        self.watcher.now_s += after_s

    @rule()
    def fail(self) -> None:
        self.watcher.window.forget()

    @rule(by_s=st.floats(-100, 0))
    def clock_goes_back(self, by_s: float) -> None:
        """Not by itself: a monotonic clock does not; whatever it does harms nobody who beats."""
        self.watcher.now_s += by_s
        self.watcher.beaten_s = min(self.watcher.beaten_s, self.watcher.now_s)
        self.watcher.window.forget()

    @precondition(lambda self: self.dead)
    @rule()
    def quiet(self) -> None:
        """In a quiet time the dead are late, and they alone."""
        for number in range(20):
            for name in set(self.NAMES) - self.dead:
                if number % 4 == 0:
                    self.beat(name)
            self._read(STEP_S)
        assert self.late == self.dead

    @invariant()
    def nobody_who_beats_is_late(self) -> None:
        bound_s = TIMING.patience_s - TIMING.slack_s
        for name in self.late:
            assert self.true_s - self.beaten_s[name] >= bound_s - 1e-6


TestFleet = Fleet.TestCase


@given(st.lists(st.floats(0.01, 0.6), min_size=1, max_size=60), st.floats(-1e6, 1e6))
def test_a_worker_that_beats_every_beat_is_never_late(steps: list[float], start_s: float) -> None:
    watcher, true_s = Watcher(start_s), 0.0
    for step_s in steps:
        true_s += step_s
        assert not watcher.read(step_s, other=int(true_s / TIMING.beat_s))
