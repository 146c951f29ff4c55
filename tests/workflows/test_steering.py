"""The inbox and the outbox: pure, so properties say it all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import Cancel, Command, CommandKind, Pause, Resume
from contracts.envelope import NewEvent
from contracts.events import StepStarted
from contracts.messages import Usage
from contracts.runs import Limits
from workflows.facts import Facts
from workflows.outbox import PendingFacts
from workflows.state import RunState, exceeded, overdue
from workflows.steering import Inbox, Received

KINDS: dict[CommandKind, type[Command]] = {
    CommandKind.PAUSE: Pause,
    CommandKind.RESUME: Resume,
    CommandKind.CANCEL: Cancel,
}
sent = st.lists(st.tuples(st.sampled_from(list(KINDS)), st.sampled_from("abcdefgh")))


@given(sent)
def test_each_command_id_is_taken_once_in_the_order_it_came(
    commands: list[tuple[CommandKind, str]],
) -> None:
    inbox = Inbox()
    taken: list[str] = []
    read: list[str] = []
    for index, (kind, command_id) in enumerate(commands):
        inbox.put(kind, KINDS[kind](command_id=command_id))
        if index % 3 == 0:
            read += [received.command.command_id for received in inbox.read()]
        if index % 2 == 0 and (one := inbox.take()):
            taken.append(one.command.command_id)
    read += [received.command.command_id for received in inbox.read()]
    while one := inbox.take():
        taken.append(one.command.command_id)
    first_seen = list(dict.fromkeys(command_id for _, command_id in commands))
    assert read == taken == first_seen
    assert inbox.take() is None


def test_a_cancel_stops_what_runs_whether_read_or_not_and_no_longer_once_taken() -> None:
    inbox = Inbox()
    inbox.put(CommandKind.PAUSE, Pause(command_id="a"))
    assert not inbox.stops
    inbox.put(CommandKind.CANCEL, Cancel(command_id="b"))
    assert inbox.stops
    inbox.read()
    assert inbox.stops
    inbox.take()
    inbox.take()
    assert not inbox.stops


def fact(key: str) -> NewEvent:
    return NewEvent(key=key, body=StepStarted(model="m"))


def test_facts_wait_until_an_activity_that_carried_them_returned() -> None:
    pending = PendingFacts()
    pending.add(fact("a"), fact("b"))
    first = pending.cargo()
    pending.add(fact("b"), fact("c"))
    pending.seal("scope")
    assert [f.key for f in pending.cargo().facts] == ["a", "b", "c"]
    pending.delivered(first)
    assert [f.key for f in pending.cargo().facts] == ["c"]
    assert pending.cargo().seals == ("scope",)
    pending.delivered(pending.cargo())
    assert pending.empty


def test_a_fact_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        PendingFacts().add(NewEvent(body=StepStarted(model="m")))


@given(st.lists(st.sampled_from([CommandKind.PAUSE, CommandKind.RESUME])), st.booleans())
def test_every_switch_has_one_outcome_and_changes_the_run_only_if_applied(
    kinds: list[CommandKind], more: bool
) -> None:
    facts, paused = Facts(0), False
    for index, kind in enumerate(kinds):
        received = Received(kind, KINDS[kind](command_id=str(index)))
        now, made = facts.switch(received, 1, paused=paused, more=more)
        outcomes = [f for f in made if f.key == f"command/{index}/outcome"]
        assert len(outcomes) == 1
        applied = outcomes[0].body.type == "command.applied"
        assert applied is (now is not paused) is (len(made) == 2)
        paused = now


def test_each_limit_stops_exactly_when_it_would_be_passed() -> None:
    limits = Limits(max_steps=2, max_tool_calls=3, max_tokens=10)
    state = RunState(started_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert exceeded(state, limits) is None
    state.usage = Usage(input_tokens=9, output_tokens=1)
    assert (excess := exceeded(state, limits))
    assert excess.limit == "max_tokens"
    state.usage = Usage(input_tokens=8, output_tokens=1)
    state.step = 1
    assert exceeded(state, limits) is None
    state.step = 2
    assert (excess := exceeded(state, limits))
    assert excess.limit == "max_steps"
    assert exceeded(state, limits, calls=3) is None
    assert (excess := exceeded(state, limits, calls=4))
    assert excess.used == 4
    assert overdue(limits).limit == "max_wall_s"
