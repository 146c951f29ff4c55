"""What tools did on disk, against what the journal says they did. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.checks import Check
from tests.chaos.observed import Event, Observed
from tests.runs.laws import RESULTS

_Complaints = Iterator[tuple[Check, str]]


def complaints(run: Observed) -> _Complaints:
    """Runs of tools that must not have been, or that were not."""
    yield from _rerun(run)
    yield from _unsafe(run)
    yield from _done(run)


def _rerun(run: Observed) -> _Complaints:
    """Neither the journal nor the disk shows a start after the end."""
    ended: dict[str, Event] = {}
    for event in run.events:
        call_id = event["data"].get("call_id", "")
        if event["type"] in RESULTS and not event["data"].get("retryable"):
            ended.setdefault(call_id, event)
        elif event["type"] == "tool.started" and call_id in ended:
            yield Check.NOT_RERUN, f"{call_id} starts at {event['seq']} although it has ended"
    for effect in run.effects:
        end = ended.get(effect.call_id)
        if end and effect.attempt > end.get("attempt", effect.attempt) and not _again(run, effect):
            yield Check.NOT_RERUN, f"{effect} although it ended in attempt {end['attempt']}"


def _unsafe(run: Observed) -> _Complaints:
    """The lines of an unsafe call are at most the runs that people let it have."""
    lines = Counter(effect.call_id for effect in run.effects)
    for call_id in _calls(run, run.unsafe):
        allowed = 1 + _again(run, call_id)
        if lines[call_id] > allowed:
            yield Check.UNSAFE_ONCE, f"{call_id} ran {lines[call_id]} times, allowed: {allowed}"


def _done(run: Observed) -> _Complaints:
    """What completed by itself has left its line."""
    lines = Counter(effect.call_id for effect in run.effects)
    marking = _calls(run, run.marking)
    for event in run.events:
        by_itself = event["type"] == "tool.completed" and "attempt" in event
        if (
            by_itself
            and event["data"]["call_id"] in marking
            and not lines[event["data"]["call_id"]]
        ):
            yield Check.EFFECT, f"{event['data']['call_id']} has left nothing on disk"


def _calls(run: Observed, names: frozenset[str]) -> set[str]:
    """Ids of the calls of these tools."""
    messages = [event for event in run.events if event["type"] == "message.completed"]
    calls = [call for event in messages for call in event["data"]["tool_calls"]]
    return {call["call_id"] for call in calls if call["name"] in names}


def _again(run: Observed, of: object) -> int:
    """How often a person has had that call run once more."""
    call_id = getattr(of, "call_id", of)
    prefix = f"outcome_{str(call_id).removeprefix('call_')}_"
    return sum(
        event["type"] == "input.received"
        and event["data"]["request_id"].startswith(prefix)
        and event["data"]["text"].strip().endswith("run it")
        for event in run.events
    )
