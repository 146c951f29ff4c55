"""Attempts of model and tool calls: what counts, what is void. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from relayline.projections.rendered import Rendered
from relayline.projections.valid import REWOUND, counting
from tests.chaos.checks import Check
from tests.chaos.observed import DELTAS, MESSAGES, Event, Observed
from tests.chaos.said import differing

_Complaints = Iterator[tuple[Check, str]]


def complaints(run: Observed) -> _Complaints:
    """What attempts did that they must not do."""
    yield from _rendered(run)
    for life in run.lives:
        yield from _void(life)
        yield from _stale(life)
    if run.drained_only:
        yield from _drained(run)


def _rendered(run: Observed) -> _Complaints:
    """At each prefix that ends a step a person sees what is stored: just before, and after.

    After a reset nothing else is seen than what counts then.
    """
    rendered = Rendered()
    for place, (stored, event) in enumerate(zip(run.stored, run.events, strict=True), 1):
        before, rendered = rendered, rendered.apply(stored)
        if event["type"] == REWOUND:
            whole = {
                it.step: json.loads(it.data)["text"]
                for it in counting(run.stored[:place])
                if it.type in MESSAGES
            }
            for step in rendered.steps:
                if rendered.text(step) != whole.get(step, ""):
                    yield Check.RENDERED, f"step {step} is seen after the reset at {stored.seq}"
        if event["type"] not in MESSAGES or stored.seq <= run.past:
            continue
        step, text = event["step"], event["data"]["text"]
        for when, seen in (("before", before.text(step)), ("after", rendered.text(step))):
            if seen != text:
                yield Check.RENDERED, f"step {step}, {when} its end: {differing(seen, text)}"


def _void(life: list[Event]) -> _Complaints:
    """Whatever an attempt streamed is declared void, all of it, before a later one streams."""
    streamed: defaultdict[int, dict[int, list[int]]] = defaultdict(dict)
    for event in life:
        if event["type"] == "attempt.superseded":
            left = streamed[event["step"]].pop(event["data"]["attempt"], [])
            declared = (event["data"]["from_seq"], event["data"]["to_seq"])
            if not left or declared != (left[0], left[-1]):
                yield Check.SUPERSEDED, f"{declared} is declared void, streamed was {left}"
        elif event["type"] in DELTAS | MESSAGES and "attempt" in event:
            yield from _goes_on(event, streamed[event["step"]])


def _goes_on(event: Event, streamed: dict[int, list[int]]) -> _Complaints:
    """An attempt streams or ends: nothing of an earlier one may stand."""
    attempt = event["attempt"]
    for early in [old for old in streamed if old < attempt]:
        del streamed[early]
        yield Check.SUPERSEDED, f"attempt {early} is not void at {event['seq']}, of {attempt}"
    if event["type"] in DELTAS:
        streamed.setdefault(attempt, []).append(event["seq"])


def _stale(life: list[Event]) -> _Complaints:
    """Attempts of a call write in their order; a further run of an unsafe tool counts anew."""
    newest: dict[str, int] = {}
    for event in life:
        if event["type"] == "input.received":
            newest.pop(_call_of(event["data"]["request_id"]), None)
        attempt = event.get("attempt")
        if attempt is None:
            continue
        scope = _scope(event)
        if attempt < newest.get(scope, 0):
            yield Check.STALE, f"{scope}: {event['type']} of attempt {attempt} at {event['seq']}"
        newest[scope] = max(attempt, newest.get(scope, 0))


def _call_of(request_id: str) -> str:
    """The call whose outcome is asked for: `outcome_{step}_{index}_{run}`, or with `e{epoch}`."""
    return "_".join(["call", *re.sub(r"_e\d+_", "_", request_id).split("_")[1:3]])


def _drained(run: Observed) -> _Complaints:
    """A further attempt comes only after one that has failed by itself."""
    failed = Counter[str]()
    for event in run.events:
        scope = _scope(event)
        retried = event["type"] == "tool.failed" and event["data"].get("retryable")
        failed[scope] += bool(retried or event["type"] in {"attempt.failed", "model.fallback"})
        if event.get("attempt", 1) > 1 + failed[scope]:
            yield Check.DRAINED, f"{scope}: {event['type']} of attempt {event['attempt']}"
            return


def _scope(event: Event) -> str:
    """Of what call it is."""
    return str(event["data"].get("call_id") or f"step {event.get('step')}")


def texts(events: list[Event]) -> int:
    """Characters of all whole answers."""
    whole = (event for event in events if event["type"] == "message.completed")
    return sum(len(event["data"]["text"]) for event in whole)
