"""Turns of conversations: each message is in exactly one, or refused. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from relayline.contracts.events import TERMINAL_TYPES
from tests.chaos.checks import Check
from tests.chaos.observed import Event, Observed
from tests.runs import laws

_Complaints = Iterator[tuple[Check, str]]


def complaints(run: Observed) -> _Complaints:
    """Messages that are lost, or said twice, and turns that have no end, or several.

    A message that was applied before an operator's reset may be void; it is said once at most.
    """
    outcomes = {
        it["data"]["command_id"]: it
        for it in laws.only(run.events, *laws.OUTCOMES)
        if it["data"]["kind"] == "message"
    }
    reset = len(run.lives) > 1
    for life in run.lives:
        said = Counter(it["data"].get("command_id") for it in laws.only(life, "message.user"))
        for command_id, outcome in outcomes.items():
            wanted = outcome["type"] == "command.applied"
            times = said[command_id]
            if times > wanted or (times < wanted and not reset and life is run.lives[-1]):
                yield Check.TURNS, f"{command_id}: {outcome['type']}, said {times} times"
        yield from _ends(life)
    if not reset:
        yield from _places(run.events, outcomes)


def _ends(life: list[Event]) -> _Complaints:
    """Each turn ends once, and before the next one begins; the newest one may end with the run."""
    ended = Counter(it["data"]["turn"] for it in laws.only(life, "turn.completed"))
    begun = {it["data"].get("turn") for it in laws.only(life, "message.user")} - {None}
    over = bool(laws.only(life, *TERMINAL_TYPES))
    for turn in begun:
        last = turn == max(begun)
        if ended[turn] > 1 or (over and not last and not ended[turn]):
            yield Check.TURNS, f"turn {turn} has {ended[turn]} ends"


def _places(events: list[Event], outcomes: dict[str, Event]) -> _Complaints:
    """What the outcome of a message says of its turn is where the message stands."""
    for it in laws.only(events, "message.user"):
        outcome = outcomes.get(it["data"].get("command_id") or "")
        if outcome and outcome["data"].get("turn") != it["data"].get("turn"):
            yield Check.TURNS, f"{it['data']['command_id']} is in turn {it['data'].get('turn')}"
