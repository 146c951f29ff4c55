"""The inbox: each id once, in the order of arrival, and what it wants stopped."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.commands import AnyCommand, Cancel, Decide, Pause, Redirect, Resume
from relayline.workflows.inbox import Inbox, Stop

IDS = st.sampled_from("abcdefgh")
COMMANDS: st.SearchStrategy[AnyCommand] = st.one_of(
    st.builds(Pause, command_id=IDS, now=st.booleans()),
    st.builds(Resume, command_id=IDS),
    st.builds(Redirect, command_id=IDS, message=st.sampled_from(["", "x"]), now=st.booleans()),
    st.builds(Cancel, command_id=IDS),
)


def filled(*commands: AnyCommand) -> Inbox:
    """An inbox whose commands have been read and kept."""
    inbox = Inbox()
    for command in commands:
        inbox.put(command)
    while one := inbox.read():
        inbox.keep(one)
    return inbox


@given(st.lists(COMMANDS))
def test_each_command_id_is_taken_once_in_the_order_it_came(commands: list[AnyCommand]) -> None:
    inbox, read, taken = Inbox(), [], []
    for index, command in enumerate(commands):
        seen = {it.command_id for it in commands[:index]}
        assert inbox.put(command) is (command.command_id not in seen)
        if index % 3 == 0 and (one := inbox.read()):
            read.append(one)
            inbox.keep(one)
        if index % 2 == 0 and (one := inbox.take()):
            taken.append(one)
    while one := inbox.read():
        read.append(one)
        inbox.keep(one)
    while one := inbox.take():
        taken.append(one)
    first = list({it.command_id: it for it in reversed(commands)}.values())
    assert read == taken == sorted(first, key=commands.index)
    assert not inbox.unread


@given(st.lists(COMMANDS, unique_by=lambda it: it.command_id))
def test_within_a_step_only_redirects_that_can_wait_are_left(commands: list[AnyCommand]) -> None:
    inbox, taken = filled(*commands), []
    while one := inbox.take(in_step=True):
        taken.append(one)
    waits = [it for it in commands if isinstance(it, Redirect) and not it.now]
    assert taken == [it for it in commands if it not in waits]
    while one := inbox.take():
        assert one is waits.pop(0)
    assert not waits


@given(st.lists(COMMANDS, unique_by=lambda it: it.command_id), st.integers(0, 10))
def test_what_has_to_stop_depends_on_what_waits_read_or_not(
    commands: list[AnyCommand], read: int
) -> None:
    inbox, kept = Inbox(), filled(*commands)
    for command in commands:
        inbox.put(command)
    for _ in range(min(read, len(commands))):
        if one := inbox.read():
            inbox.keep(one)
    assert (inbox.stop, inbox.redirects) == (kept.stop, kept.redirects)
    for paused in (False, True):
        assert inbox.pauses(paused=paused) is kept.pauses(paused=paused)


def test_the_levels_of_stopping() -> None:
    pause, redirect = Pause(command_id="p", now=True), Redirect(command_id="r", message="x")
    cancel = Cancel(command_id="c")
    assert filled().stop is Stop.NOTHING
    assert filled().stopped_by is None
    quiet = filled(
        Pause(command_id="1"),
        Resume(command_id="2"),
        Redirect(command_id="3", message="x", now=False),
    )
    assert quiet.stop is Stop.NOTHING
    assert filled(pause).stop is Stop.PAUSE
    assert filled(redirect, pause).stop is Stop.REDIRECT
    every = filled(pause, redirect, cancel, Cancel(command_id="d"))
    assert every.stop is Stop.CANCEL
    assert every.stopped_by == cancel
    taken = [every.take() for _ in range(5)]
    assert taken[-1] is None
    assert [every.stop] == [Stop.NOTHING]


def test_a_command_that_nobody_can_act_on_stops_nothing() -> None:
    for command in (
        Redirect(command_id="a"),
        Cancel(command_id="b", reason="x" * 40_000),
        Pause(command_id="c", now=True, unreadable="payload: must be a JSON object"),
    ):
        inbox = Inbox()
        inbox.put(command)
        assert inbox.stop is Stop.NOTHING
        assert not inbox.redirects
        assert not inbox.pauses(paused=False)


class Looked(dict[str, Any]):
    """Arguments that count how often they are looked at."""

    times = 0

    def items(self) -> Any:
        self.times += 1
        return super().items()


def test_what_a_command_says_is_looked_at_once_however_often_the_inbox_is_asked() -> None:
    arguments = Looked(a=1)
    decide = Decide(approval_id="x", decision="approve", arguments={})
    inbox = Inbox()
    inbox.put(decide.model_copy(update={"command_id": "a", "arguments": arguments}))
    for _ in range(5):
        assert inbox.stop is Stop.NOTHING
        assert not inbox.redirects
    assert arguments.times == 1


@given(st.lists(COMMANDS, unique_by=lambda it: it.command_id), st.booleans())
def test_the_last_pause_or_resume_that_waits_decides(
    commands: list[AnyCommand], paused: bool
) -> None:
    switches = [it for it in commands if isinstance(it, Pause | Resume)]
    expected = isinstance(switches[-1], Pause) if switches else paused
    assert filled(*commands).pauses(paused=paused) is expected
