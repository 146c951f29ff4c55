"""The history checker: what was seen of runs → the promises that were broken. Pure."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from relayline.contracts.events import TERMINAL_TYPES
from tests.chaos import attempts, delivery, effects, epochs, families, pins, said, told, turns
from tests.chaos.checks import Check, Violation
from tests.chaos.observed import Event, Observed
from tests.runs import laws

_ONCE_EVER: dict[str, tuple[str, ...]] = {
    "run.queued": (),
    "command.accepted": ("command_id",),
    "command.applied": ("command_id",),
    "command.refused": ("command_id",),
}
_ONCE: dict[str, tuple[str, ...]] = {
    "run.started": (),
    "step.started": ("step",),
    "message.completed": ("step",),
    "message.interrupted": ("step",),
    "attempt.superseded": ("step", "attempt"),
    "approval.requested": ("approval_id",),
    "approval.resolved": ("approval_id",),
    "input.requested": ("request_id",),
    "input.received": ("request_id",),
    "tool.completed": ("call_id",),
    "tool.cancelled": ("call_id",),
    "tool.abandoned": ("call_id",),
}
"""What makes two facts of a type the same one, besides their keys; the first ones also across
resets, the others as far as they count."""

_LAWS: dict[Check, Callable[[list[Event]], None]] = {
    Check.ONE_END: laws.check_end,
    Check.COMMANDS: laws.check_receipts,
    Check.CALL_ENDS_ONCE: laws.check_calls,
    Check.REQUESTS: laws.check_requests,
    Check.MESSAGES: laws.check_messages,
    Check.PAUSES: laws.check_pauses,
    Check.REDIRECTS: laws.check_redirects,
    Check.BILL: laws.check_bill,
}
"""What holds for the journal of every run that has ended."""
_RESET_LAWS = frozenset({Check.ONE_END, Check.CALL_ENDS_ONCE, Check.MESSAGES})
"""Those of them that hold for what counts of a run that was reset. Commands have one outcome for
all epochs, so what they led to may be void or stand once more."""

_CUT_OFF = frozenset({"run.terminated", "run.timed_out"})
"""How runs end without their own word: then nothing is brought to an end in them before."""
_Complaints = Iterator[tuple[Check, str]]


def check(runs: Sequence[Observed]) -> list[Violation]:
    """Every promise that was broken, run by run."""
    found = [
        Violation(broken, run.run_id, what) for run in runs for broken, what in _complaints(run)
    ]
    return found + [Violation(Check.FAMILY, *it) for it in families.outliving(runs)]


def _complaints(run: Observed) -> _Complaints:
    if not run.accepted:
        yield Check.ACCEPTED, f"nobody has submitted it, {len(run.events)} events"
    yield from _journal(run)
    yield from delivery.complaints(run)
    yield from attempts.complaints(run)
    yield from said.complaints(run)
    yield from effects.complaints(run)
    yield from epochs.complaints(run)
    yield from told.complaints(run)
    yield from families.complaints(run)
    yield from turns.complaints(run)
    yield from pins.complaints(run)
    yield from _end(run)
    yield from _commands(run)
    if run.replay:
        yield Check.REPLAYS, run.replay


def _journal(run: Observed) -> _Complaints:
    """Order and uniqueness."""
    seqs = [event["seq"] for event in run.events]
    if seqs != list(range(1, len(seqs) + 1)):
        yield Check.CONTIGUOUS, f"{seqs}"
    keys = Counter(event.key for event in run.stored if event.key is not None)
    ever = Counter(_meanings(run.events, _ONCE_EVER))
    counted: list[Counter[Any]] = [keys, ever]
    counted += [Counter(_meanings(life, _ONCE)) for life in run.lives]
    for same in counted:
        for fact, times in same.items():
            if times > 1:
                yield Check.FACT_ONCE, f"{fact!r} stands {times} times"


def _meanings(
    events: Iterable[Event], kinds: dict[str, tuple[str, ...]]
) -> Iterator[tuple[object, ...]]:
    for event in events:
        if (names := kinds.get(event["type"])) is not None:
            kind = "message" if event["type"].startswith("message.") else event["type"]
            yield kind, *(event["data"].get(name, event.get(name)) for name in names)


def _end(run: Observed) -> _Complaints:
    """How the run ended, and what everybody is told of that."""
    counts = _with_outcomes(run)
    ends = [event for event in counts if event["type"] in TERMINAL_TYPES]
    if not ends:
        waits = f", waits for {run.waiting_for}" if run.waiting_for else ""
        yield Check.ENDED, f"{run.status or 'no status'}{waits}, after {len(run.events)} events"
        return
    if run.status and run.status != TERMINAL_TYPES[ends[0]["type"]]:
        yield Check.STATUS, f"GET says {run.status}, the journal {ends[0]['type']}"
    cut_off = ends[0]["type"] in _CUT_OFF
    for broken, law in _LAWS.items():
        if cut_off and broken is not Check.ONE_END:
            continue
        events = counts if broken in _RESET_LAWS else run.events
        if events is run.events and len(run.lives) > 1 and broken is not Check.COMMANDS:
            continue
        try:
            law(events)
        except AssertionError as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            yield broken, f"{where.name}: {where.line} {error}"


def _with_outcomes(run: Observed) -> list[Event]:
    """What counts in the end, after the outcomes of commands that a reset has made void: each
    command has one for all epochs, though it acts again where Temporal gives it once more."""
    counts = run.lives[-1]
    kept = {event["seq"] for event in counts}
    return [it for it in laws.only(run.events, *laws.OUTCOMES) if it["seq"] not in kept] + counts


def _commands(run: Observed) -> _Complaints:
    """Each 202 came to something, and the receipt says what the journal says."""
    facts = laws.only(run.events, *laws.OUTCOMES)
    outcomes = {event["data"]["command_id"]: event["type"] for event in facts}
    over = run.end is not None and run.end["type"] in TERMINAL_TYPES
    for sent in run.sent:
        if 202 not in sent.statuses:
            if sent.command_id in outcomes and not _unheard(sent.statuses):
                yield Check.COMMANDS, f"{sent.command_id} was not taken: {sent.statuses}"
            continue
        outcome = outcomes.get(sent.command_id)
        told = f"command.{sent.state}"
        ended = over and (sent.state, sent.reason) == ("refused", "run-ended")
        if outcome is None and not ended:
            yield Check.COMMANDS, f"{sent.command_id}: no outcome, GET says {sent.state}"
        elif outcome and told != outcome:
            yield Check.COMMANDS, f"{sent.command_id}: {outcome}, GET says {sent.state}"


def _unheard(statuses: list[int]) -> bool:
    """True when an answer may have been lost, so that the run may have the command all the same."""
    return not statuses or any(status >= 500 or status == 0 for status in statuses)
