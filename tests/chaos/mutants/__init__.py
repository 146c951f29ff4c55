"""Deliberate breakages of the product, each with the promise that it breaks and how that shows."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tests.chaos import scenes
from tests.chaos.checks import Check
from tests.chaos.scenes import Scene


class Mutant(NamedTuple):
    """A patch beside this file."""

    patch: str
    check: Check
    """The promise that the checker must name."""
    scene: Scene | Literal["again", "judge"]
    """What shows it: a load on a stack, or a command of `tests.chaos.bench`."""
    quick: bool = False
    """True: a few seconds are enough, so every test run tries it."""


MUTANTS = [
    Mutant("answered_before_commit", Check.MESSAGES, scenes.kill_before_commit),
    Mutant("changed_tool_called", Check.PINNED, scenes.relist),
    Mutant("children_outlive", Check.FAMILY, scenes.bereave),
    Mutant("claim_ignored", Check.UNSAFE_ONCE, scenes.kill_in_tool),
    Mutant("deltas_twice", Check.RENDERED, scenes.talk),
    Mutant("epoch_not_in_result_key", Check.CALL_ENDS_ONCE, scenes.reset),
    Mutant("inbox_not_drained", Check.COMMANDS, scenes.fail),
    Mutant("last_deltas_lost", Check.RENDERED, scenes.talk),
    Mutant("message_not_said", Check.TURNS, scenes.converse),
    Mutant("no_drain", Check.DRAINED, scenes.drain),
    Mutant("no_fence", Check.STALE, scenes.oversleep),
    Mutant("no_supersede", Check.SUPERSEDED, scenes.kill),
    Mutant("old_epoch_not_shut_out", Check.MESSAGES, scenes.reset_of_a_sleeper),
    Mutant("other_decisions_on_replay", Check.REPLAYS, scenes.talk),
    Mutant("page_off_by_one", Check.CLIENT_GAP, scenes.talk),
    Mutant("past_done_again", Check.BILL, scenes.fork),
    Mutant("reset_not_folded", Check.RENDERED, "judge", quick=True),
    Mutant("result_key_without_call", Check.CALL_ENDS_ONCE, scenes.calls),
    Mutant("result_not_looked_up", Check.NOT_RERUN, "again", quick=True),
    Mutant("resume_off_by_one", Check.CLIENT_DOUBLE, scenes.talk, quick=True),
    Mutant("tail_skips", Check.CLIENT_GAP, scenes.talk),
    Mutant("told_out_of_order", Check.TOLD_ORDER, scenes.tell),
    Mutant("told_under_new_ids", Check.TOLD_ONCE, scenes.tell),
    Mutant("told_without_retry", Check.TOLD, scenes.tell),
    Mutant("tools_listed_each_step", Check.PINNED, scenes.relist),
    Mutant("void_key_without_attempt", Check.SUPERSEDED, scenes.kill_twice),
    Mutant("void_text_still_shown", Check.RENDERED, "judge", quick=True),
    Mutant("written_after_the_end", Check.ONE_END, scenes.terminate),
]


class Guarded(NamedTuple):
    """A breakage that no promise of the journal shows, but a test: of a watch, or of an erasure."""

    patch: str
    test: str
    """Fails with the patch."""


_RUNTIME = "tests/runtime/beats"
GUARDED = [
    Guarded(
        "fallback_counts_anew",
        "tests/activities/model/test_spare.py"
        "::test_what_the_first_model_streamed_is_void_and_attempts_count_on",
    ),
    Guarded(
        "fallback_not_sealed",
        "tests/workflows/test_fallbacks.py"
        "::test_the_next_model_answers_in_the_same_step_and_in_those_after_it",
    ),
    Guarded(
        "beats_by_wall_clock",
        f"{_RUNTIME}/test_heart.py::test_a_watcher_goes_by_its_own_clock_alone",
    ),
    Guarded(
        "beats_first_looks_alone",
        f"{_RUNTIME}/test_takeover.py"
        "::test_a_watcher_that_beats_and_does_nothing_does_not_keep_others_from_looking",
    ),
    Guarded(
        "beats_fail_by_id",
        f"{_RUNTIME}/test_takeover.py::test_a_second_watcher_that_is_slow_hits_nobody",
    ),
    Guarded(
        "beats_leaver_not_looked_for",
        "tests/faults/test_unreceived.py"
        "::test_what_a_stopping_worker_was_given_too_late_goes_to_another_when_it_leaves",
    ),
    Guarded("beats_judged_across_gaps", f"{_RUNTIME}/test_window.py"),
    Guarded("beats_judged_without_own", f"{_RUNTIME}/test_window.py"),
    Guarded(
        "beats_own_time_out_ignored",
        "tests/activities/test_presence.py::test_a_call_heartbeats_at_a_third_of_its_own_time_out",
    ),
    Guarded(
        "beats_stop_not_told",
        "tests/activities/test_presence.py::test_the_workers_are_told_of_what_stops_calls",
    ),
    Guarded(
        "beats_without_fence",
        "tests/journal/test_beats.py::test_who_is_refused_holds_nothing[sqlite]",
    ),
    Guarded(
        "erased_without_tombstone",
        "tests/journal/test_erasures.py::test_nothing_is_appended_to_an_erased_run[sqlite-fact]",
    ),
    Guarded(
        "stops_not_counted",
        "tests/activities/test_stops.py"
        "::test_a_call_under_which_each_worker_is_stopped_is_given_up",
    ),
    Guarded("suspects_all_together", "tests/activities/test_suspects.py"),
]
SCENES: list[Scene] = list(
    dict.fromkeys(it.scene for it in MUTANTS if not isinstance(it.scene, str))
)
