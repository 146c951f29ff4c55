"""Budget, clock, and what people are shown."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.commands import Answer, Decide, Resume, complaint
from relayline.contracts.keys import approval_id, budget_id, call_id, outcome_id, request_id
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, Phase, RunError, RunStatus, Waiting
from relayline.workflows.clock import WorkClock
from relayline.workflows.limits.excess import (
    Excess,
    exceeded,
    overdue,
    raised,
    spent,
    suggested_limit,
)
from relayline.workflows.state import MAX_SHOWN_TOOLS, RunState, signal_line
from tests.workflows.wheel import NOW

EXECUTION = "--namespace default --workflow-id run_1"
COUNTED = ("max_steps", "max_tool_calls", "max_tokens")


def test_each_limit_stops_exactly_when_it_would_be_passed() -> None:
    limits = Limits(max_steps=2, max_tool_calls=3, max_tokens=10)
    state = RunState(started_at=NOW, limits=limits)
    assert exceeded(state) is None
    state.usage = Usage(input_tokens=9, output_tokens=1)
    assert exceeded(state) == Excess("max_tokens", 10, 10)
    state.usage = Usage(input_tokens=8, output_tokens=1)
    state.step = 1
    assert exceeded(state) is None
    state.step = 2
    assert exceeded(state) == Excess("max_steps", 3, 2)
    assert exceeded(state, calls=3) is None
    assert exceeded(state, calls=4) == Excess("max_tool_calls", 4, 3)
    assert overdue(limits).message == "max_wall_s=3600 is used up"


@given(st.sampled_from(COUNTED), st.integers(0, 2000), st.integers(0, 2000))
def test_the_limit_that_is_offered_makes_room(name: str, allowed: int, over: int) -> None:
    allowed = max(allowed, 0 if name == "max_tool_calls" else 1)
    excess = Excess(name, allowed + over, allowed)
    limits = raised(
        Limits.model_validate({name: allowed}), excess, {"raise_to": suggested_limit(excess)}
    )
    assert isinstance(limits, Limits)
    assert getattr(limits, name) > excess.used
    assert limits == Limits.model_validate({name: getattr(limits, name)})


def test_the_clock_is_offered_as_much_time_again() -> None:
    limits = raised(
        Limits(max_wall_s=0.5), overdue(Limits(max_wall_s=0.5)), {"raise_to": 1.0, "more": "x"}
    )
    assert limits == Limits(max_wall_s=1)
    assert suggested_limit(overdue(Limits(max_wall_s=0.5))) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"raise_to": None},
        {"raise_to": "60"},
        {"raise_to": True},
        {"raise_to": [60]},
        {"raise_to": 50},
        {"raise_to": -1},
        {"raise_to": float("nan")},
        {"raise_to": 50.5},
        {"raise_to": 10_001},
        {"raise_to": 10**400},
    ],
)
def test_what_is_no_higher_limit_is_refused_by_field(arguments: dict[str, Any]) -> None:
    wrong = raised(Limits(), Excess("max_steps", 51, 50), arguments)
    assert isinstance(wrong, str)
    assert wrong.startswith("arguments.raise_to: ")


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans())))
def test_the_clock_counts_the_time_at_work_and_no_other(turns: list[tuple[int, bool]]) -> None:
    clock, now, idle, worked = WorkClock(NOW), NOW, False, 0
    for seconds, then_idle in turns:
        worked += 0 if idle else seconds
        now += timedelta(seconds=seconds)
        assert clock.worked_s(now) == worked
        idle = then_idle
        clock.switch(now, idle=idle)
        assert clock.idle is idle
        assert clock.worked_s(now) == worked


NAMES = st.sampled_from(["resume", "approval", "input"])
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(NAMES, WORDS)
def test_whatever_the_id_a_shell_reads_the_command_line_as_it_is_meant(kind: Any, id_: str) -> None:
    words = shlex.split(signal_line(EXECUTION, Waiting(kind=kind, id=id_)))
    assert words[:3] == ["temporal", "workflow", "signal"]
    assert words[3:7] == shlex.split(EXECUTION)
    assert words[7::2] == ["--name", "--input"]
    payload = json.loads(words[10])
    assert payload["by"] == "me"
    assert id_ in {payload.get("approval_id"), payload.get("request_id")} or kind == "resume"


def test_the_command_line_sends_a_command_that_is_in_order() -> None:
    call = call_id(3, 0)
    for kind, id_, model in (
        ("approval", approval_id(0, call), Decide),
        ("approval", budget_id(1, 2), Decide),
        ("input", request_id(0, call), Answer),
        ("input", outcome_id(2, call, 1), Answer),
        ("resume", None, Resume),
    ):
        waiting = Waiting.model_validate({"kind": kind, "id": id_})
        words = shlex.split(signal_line(EXECUTION, waiting))
        command = model.model_validate_json(words[10])
        assert words[8] == command.kind
        assert complaint(command) is None


def test_the_details_say_what_a_run_waits_for_and_how_to_give_it() -> None:
    waiting = Waiting(kind="approval", id="approval_1_0", what="pay(amount=5)")
    state = RunState(
        started_at=NOW,
        limits=Limits(),
        status=RunStatus.WAITING,
        phase=Phase.TOOLS,
        step=1,
        waiting_for=(waiting,),
        running_tools=("look",) * 20,
        last_error=RunError(type="tool-failed", message="no"),
    )
    lines = state.details(EXECUTION).split("\n\n")
    assert lines[0] == "**waiting** · step 1 · tools"
    assert lines[1] == "waits for approval: `pay(amount=5)`"
    assert lines[2] == f"```\n{signal_line(EXECUTION, waiting)}\n```"
    assert lines.count("running `look`") == MAX_SHOWN_TOOLS
    assert lines[-1] == "last error: tool-failed"


def test_what_a_run_below_waits_for_is_sent_to_that_run() -> None:
    below = Waiting(kind="input", id="run_2.input_1_0", what="?", run_id="run_2")
    words = shlex.split(signal_line(EXECUTION, below))
    assert words[3:7] == ["--namespace", "default", "--workflow-id", "run_2"]
    assert json.loads(words[10])["request_id"] == "input_1_0"


def test_limits_count_what_runs_below_have_used() -> None:
    state = RunState(started_at=NOW, limits=Limits(max_tokens=10))
    state.usage = Usage(input_tokens=4)
    state.child_usage = state.turn_child_usage = Usage(output_tokens=3)
    assert spent(state) is None
    state.open_usage = Usage(output_tokens=3)
    assert spent(state) == Excess("max_tokens", 10, 10)
    state.open_usage = Usage()
    state.begin_turn()
    assert (state.used, state.child_usage) == (Usage(), Usage(output_tokens=3))
