"""What tools did on disk, against what the journal says they did. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tests.chaos.checks import Check
from tests.chaos.observed import Event, Observed
from tests.runs.laws import RESULTS

_Complaints = Iterator[tuple[Check, str]]


def complaints(run: Observed) -> _Complaints:
    """Runs of tools that must not have been, or that were not."""
    for life in run.lives:
        yield from _rerun(life)
    yield from _rerun_on_disk(run)
    yield from _unsafe(run)
    yield from _done(run)


def _rerun(life: list[Event]) -> _Complaints:
    """The journal shows no start after the end."""
    ended = set()
    for event in life:
        call_id = event["data"].get("call_id", "")
        if event["type"] in RESULTS and not event["data"].get("retryable"):
            ended.add(call_id)
        elif event["type"] == "tool.started" and call_id in ended:
            yield Check.NOT_RERUN, f"{call_id} starts at {event['seq']} although it has ended"


def _rerun_on_disk(run: Observed) -> _Complaints:
    """The disk shows no run after the end, of a call that no reset has begun anew."""
    ended = {
        event["data"]["call_id"]: event
        for event in run.events
        if event["type"] in RESULTS and not event["data"].get("retryable")
    }
    for effect in run.effects:
        if _begun(run, effect.call_id) > 1:
            continue
        end = ended.get(effect.call_id)
        if end and effect.attempt > end.get("attempt", effect.attempt) and not _again(run, effect):
            yield Check.NOT_RERUN, f"{effect} although it ended in attempt {end['attempt']}"


def _unsafe(run: Observed) -> _Complaints:
    """The lines of an unsafe call are at most the runs that people let it have, per epoch."""
    lines = Counter(effect.call_id for effect in run.effects)
    for call_id in _calls(run, run.unsafe):
        allowed = max(_begun(run, call_id), 1) + _again(run, call_id)
        if lines[call_id] > allowed:
            yield Check.UNSAFE_ONCE, f"{call_id} ran {lines[call_id]} times, allowed: {allowed}"


def _done(run: Observed) -> _Complaints:
    """What completed by itself has left its line."""
    lines = Counter(effect.call_id for effect in run.effects)
    marking = _calls(run, run.marking)
    for event in run.events:
        own = event["seq"] > run.past
        by_itself = own and event["type"] == "tool.completed" and "attempt" in event
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
    call = str(getattr(of, "call_id", of)).removeprefix("call_")
    asks = re.compile(rf"outcome_(e\d+_)?{call}_\d+")
    return sum(
        event["type"] == "input.received"
        and asks.fullmatch(event["data"]["request_id"]) is not None
        and event["data"]["text"].strip().endswith("run it")
        for event in run.events
    )


def _begun(run: Observed, call_id: str) -> int:
    """In how many epochs that call has begun."""
    return sum(
        any(it["type"] == "tool.started" and it["data"]["call_id"] == call_id for it in epoch)
        for epoch in run.epochs
    )
