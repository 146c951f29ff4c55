"""What holds for the journal of every run that has ended, whatever was done to the run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from relayline.contracts.errors import ErrorType
from relayline.contracts.events import TERMINAL_TYPES

Event = dict[str, Any]
RESULTS = frozenset({"tool.completed", "tool.failed", "tool.cancelled", "tool.abandoned"})
MESSAGES = frozenset({"message.completed", "message.interrupted"})
OUTCOMES = frozenset({"command.applied", "command.refused"})
WORK = frozenset({"step.started", "message.delta", "tool.started"})
"""What does not happen in a paused run."""


def check_laws(events: list[Event]) -> None:
    """Each law, by an assertion of its own; most hold for what a fork has done itself."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    check_end(events)
    check_receipts(events)
    check_calls(events)
    check_requests(events)
    check_messages(events)
    check_pauses(events)
    check_redirects(events)
    check_bill(events)


def own_part(events: list[Event]) -> list[Event]:
    """What the run has done itself: all but the past of a fork."""
    forks = only(events, "run.forked")
    to_seq = forks[0]["data"]["to_seq"] if forks else 0
    return [event for event in events if event["seq"] > to_seq] if forks else events


def first_step(events: list[Event]) -> int:
    """The number of the first step that the run does itself."""
    forks = only(events, "run.forked")
    return int(forks[0]["data"]["step"]) if forks else 1


def check_bill(events: list[Event]) -> None:
    """Nobody pays for what another run has done, as the past of a fork."""
    own = own_part(events)
    cost = sum(_tokens(event) for event in only(own, *MESSAGES, "context.compacted"))
    for event in only(own, *TERMINAL_TYPES):
        assert _tokens(event) <= cost, f"{_tokens(event)} tokens are paid, its own are {cost}"


def _tokens(event: Event) -> int:
    usage = event["data"].get("usage") or {}
    return int(usage.get("input_tokens", 0)) + int(usage.get("output_tokens", 0))


def only(events: list[Event], *types: str) -> list[Event]:
    """The events of these types."""
    return [event for event in events if event["type"] in types]


def ids(events: list[Event], field: str) -> Counter[str]:
    """How often each id comes."""
    return Counter(event["data"][field] for event in events)


def check_end(events: list[Event]) -> None:
    """One terminal event, and it is the last one; `run.cancelled` if somebody wanted that."""
    ends = [event["seq"] for event in events if event["type"] in TERMINAL_TYPES]
    assert ends == [events[-1]["seq"]], ends
    done = [it["data"].get("applied", "") for it in _applied(events, "cancel")]
    cancels = sum(not it.startswith("the turn is cancelled") for it in done)
    stops = [event for event in only(events, "input.received") if event["data"]["text"] == "stop"]
    if events[-1]["type"] == "run.cancelled":
        assert cancels == 1 or (stops and not cancels)
    else:
        assert not cancels


def check_receipts(events: list[Event]) -> None:
    """Each command is accepted once, and then has one outcome."""
    accepted = ids(only(events, "command.accepted"), "command_id")
    outcomes = ids(only(events, *OUTCOMES), "command_id")
    assert accepted == outcomes
    assert set(accepted.values()) <= {1}, accepted
    kinds: dict[str, tuple[int, str]] = {}
    for event in only(events, "command.accepted", *OUTCOMES):
        data = event["data"]
        seq, kind = kinds.setdefault(data["command_id"], (event["seq"], data["kind"]))
        assert data["kind"] == kind
        assert (seq == event["seq"]) == (event["type"] == "command.accepted")


def check_calls(events: list[Event]) -> None:
    """Each call that the model asked for ends once."""
    events = own_part(events)
    messages = only(events, "message.completed")
    asked = Counter(call["call_id"] for event in messages for call in event["data"]["tool_calls"])
    ended = ids([event for event in only(events, *RESULTS) if not _tried_again(event)], "call_id")
    assert ended == asked
    assert set(asked.values()) <= {1}
    unsafe = ids(_started(events, "run_command", "charge"), "call_id")
    assert set(unsafe.values()) <= {1}, unsafe
    over: set[str] = set()
    for event in only(events, "tool.started", *RESULTS):
        assert event["data"]["call_id"] not in over, event
        if event["type"] in RESULTS and not _tried_again(event):
            over.add(event["data"]["call_id"])


def check_requests(events: list[Event]) -> None:
    """Each approval and each question ends once, after it was asked for."""
    events = own_part(events)
    approvals = ids(only(events, "approval.requested"), "approval_id")
    resolved = only(events, "approval.resolved")
    assert ids(resolved, "approval_id") == approvals
    questions = ids(only(events, "input.requested"), "request_id")
    answered = only(events, "input.received")
    assert ids([*answered, *only(events, "input.closed")], "request_id") == questions
    assert set((approvals + questions).values()) <= {1}
    decided = [event for event in resolved if event["data"]["decision"] in {"approve", "deny"}]
    assert len(decided) == len(_applied(events, "decide"))
    assert len(answered) == len(_applied(events, "answer"))
    edited = {
        "call" + event["data"]["approval_id"].removeprefix("approval"): event["data"]["arguments"]
        for event in resolved
        if "arguments" in event["data"]
    }
    for event in only(events, "tool.started"):
        wanted = edited.get(event["data"]["call_id"], event["data"]["arguments"])
        assert event["data"]["arguments"] == wanted


def check_messages(events: list[Event]) -> None:
    """Each step ends with one message, which is what was streamed in its last attempt."""
    first, events = first_step(events), own_part(events)
    steps = [event["step"] for event in only(events, "step.started")]
    assert steps == list(range(first, len(steps) + first))
    ended = [event["step"] for event in only(events, *MESSAGES)]
    cut = {it["step"] for it in only(events, "turn.completed") if it["data"]["status"] == "failed"}
    if events[-1]["type"] == "run.failed" and not _out_of_budget(events[-1]):
        cut |= {*steps[-1:]}
    assert ended == [step for step in steps if step in ended or step not in cut]
    for message in only(events, *MESSAGES):
        deltas = [it for it in only(events, "message.delta") if it["step"] == message["step"]]
        voids = [it for it in only(events, "attempt.superseded") if it["step"] == message["step"]]
        void = max((it["data"]["attempt"] for it in voids), default=0)
        last = max((it["attempt"] for it in deltas if it["attempt"] > void), default=0)
        texts = [delta["data"]["text"] for delta in deltas if delta["attempt"] == last]
        assert "".join(texts) == message["data"]["text"]
        assert all(delta["seq"] < message["seq"] for delta in deltas)


def check_pauses(events: list[Event]) -> None:
    """Nothing begins or goes on while the run is paused."""
    events = own_part(events)
    paused = False
    for event in events:
        if event["type"] in {"run.paused", "run.resumed"}:
            assert paused is (event["type"] == "run.resumed")
            paused = not paused
        paused = paused and event["type"] != "turn.completed"  # a pause ends with its turn
        assert not (paused and event["type"] in WORK), event
    assert len(only(events, "run.paused")) == len(_applied(events, "pause"))
    assert len(only(events, "run.resumed")) == len(_applied(events, "resume"))


def check_redirects(events: list[Event]) -> None:
    """Each redirect and message that was applied is said once; the last one is answered.

    A fork may begin without an input of its own.
    """
    forked, events = bool(only(events, "run.forked")), own_part(events)
    said = [event["data"]["text"] for event in only(events, "message.user")]
    more = [*_applied(events, "redirect"), *_applied(events, "message")]
    assert len(said) - len(more) in ({0, 1} if forked else {1})
    last, turns = events[-1], only(events, "turn.completed")
    answered = not turns or turns[-1]["data"]["status"] == "completed"
    plain = len(said) > 1 and not said[-1].startswith('{"rehearse"')
    if plain and answered and last["type"] == "run.completed":
        assert last["data"]["output"] == f"Understood: {said[-1]}"


def _applied(events: list[Event], kind: str) -> list[Event]:
    return [it for it in only(events, "command.applied") if it["data"]["kind"] == kind]


def _started(events: list[Event], *names: str) -> list[Event]:
    return [it for it in only(events, "tool.started") if it["data"]["name"] in names]


def _tried_again(event: Event) -> bool:
    return event["type"] == "tool.failed" and bool(event["data"]["retryable"])


def _out_of_budget(end: Event) -> bool:
    failed = end["type"] == "run.failed"
    return failed and bool(end["data"]["error"]["type"] == ErrorType.BUDGET_EXCEEDED)
