"""Commands in any order, at runs in any phase: each has one outcome, and the run one end."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from relayline.contracts.commands import (
    MAX_TEXT_BYTES,
    Answer,
    Cancel,
    Close,
    Command,
    Decide,
    Pause,
    Redirect,
    Resume,
    SendMessage,
)
from tests.dev_stack import DevStack
from tests.runs.thrower import EDITS, Throw, Thrower

TRANSITIONS, MANY_TRANSITIONS = 300, 10_000
STEPS = 20
"""Transitions of an example."""
SETTINGS = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],  # what depends on time can't be shrunk
    suppress_health_check=[HealthCheck.too_slow],
)
SPEECH = {"tokens": 40, "every_ms": 20}
NAP = {"name": "sleep", "arguments": {"seconds": 0.4}}
NAP_TWICE = {"calls": [NAP, NAP]}
ASK = {"name": "ask_user", "arguments": {"question": "why?"}}
WRITE = {"name": "write_file", "arguments": {"path": "any_order.txt", "content": "the model's"}}
RUN = {"name": "run_command", "arguments": {"command": "sleep 0.3; echo hi"}}
CHARGE = {"name": "charge", "arguments": {"seconds": 0.3}}
HASTE = {"name": "ask_user", "arguments": {"question": "quick?", "within_s": 0.3}}
DONE = {"say": "done"}


def below(*items: dict[str, Any]) -> dict[str, Any]:
    """A call of another agent, whose run does this."""
    return {"name": "ask_steered", "arguments": {"message": json.dumps({"rehearse": items})}}


Shape = tuple[list[dict[str, Any]], dict[str, Any]]
SHAPES: list[Shape] = [
    ([DONE], {}),
    ([SPEECH, {"calls": [NAP]}, SPEECH], {}),
    ([{"calls": [NAP, NAP, {"name": "sleep", "arguments": {"seconds": 0}}]}, DONE], {}),
    ([{"calls": [WRITE, ASK, NAP]}, {"calls": [WRITE, WRITE]}, DONE], {}),
    ([{"calls": [RUN, CHARGE, NAP]}, SPEECH], {}),
    ([{"calls": [HASTE, {"name": "hurried"}, CHARGE]}, DONE], {}),
    ([{"calls": [{"name": "grind"}, NAP]}, DONE], {}),
    ([{"calls": [{"name": "no_such"}, ASK, ASK]}, DONE], {}),
    ([SPEECH, {"fail": 503, "times": 1}, DONE], {}),
    ([SPEECH, {"fail": 401}], {}),
    ([{"calls": [NAP]}, {"calls": [RUN]}, DONE], {"max_steps": 1, "on_limit": "ask"}),
    ([{"calls": [NAP, WRITE]}, DONE], {"max_tool_calls": 1, "on_limit": "ask"}),
    ([{"calls": [NAP, ASK]}, SPEECH], {"max_wall_s": 0.5, "on_limit": "ask"}),
    ([{"calls": [CHARGE, NAP]}, SPEECH], {"max_wall_s": 0.5}),
    ([{"calls": [NAP]}, DONE], {"max_steps": 1}),
]
FAMILIES: list[Shape] = [
    ([{"calls": [below({"calls": [NAP, ASK]}, DONE), NAP]}, DONE], {}),
    ([{"calls": [below(SPEECH, {"calls": [WRITE, RUN]}, DONE)]}, SPEECH], {}),
    ([{"calls": [below({"fail": 401}), below({"calls": [CHARGE]}, SPEECH)]}, DONE], {}),
    ([{"calls": [below(NAP_TWICE, DONE)] * 2}, DONE], {"max_wall_s": 0.5}),
]
"""Runs that have others below them."""
MORE: list[dict[str, Any]] = [
    *EDITS.values(),
    {"raise_to": 7},
    {"raise_to": 0},
    {"path": "../elsewhere", "content": "no"},
    {},
]
IDS = ["approval_1_0", "approval_2_1", "approval_budget_1", "input_1_1", "outcome_1_0_1", "nothing"]


class _Long(str):
    """A long text with a short name."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "TOO_LONG"


TOO_LONG = _Long("x" * (MAX_TEXT_BYTES + 1))

_texts = st.sampled_from(["go on", "über's Ziel", '{"a": 1}', "stop", " ", TOO_LONG])
_notes = st.sampled_from(["", "", "fine", TOO_LONG])
_ids = st.sampled_from(IDS)
_decisions = st.sampled_from(["approve", "approve", "deny", "deny", "perhaps"])


def _pause(now: bool, by: str) -> Throw:
    return Throw("pause", {"now": now, "by": by})


def _redirect(message: str, now: bool) -> Throw:
    return Throw("redirect", {"message": message, "now": now})


def _decide(id_: str, decision: str, note: str) -> Throw:
    return Throw(f"approvals/{id_}", {"decision": decision, "note": note}, aimed=True)


def _edit(id_: str, arguments: dict[str, Any], aimed: bool) -> Throw:
    return Throw(f"approvals/{id_}", {"decision": "approve", "arguments": arguments}, aimed)


def _answer(id_: str, text: str, aimed: bool) -> Throw:
    return Throw("answer", {"request_id": id_, "text": text}, aimed)


def _cancel(reason: str, scope: str) -> Throw:
    return Throw("cancel", {"reason": reason, "scope": scope})


def _message(content: str, if_busy: str) -> Throw:
    return Throw("messages", {"content": content, "if_busy": if_busy})


_throws = st.one_of(
    st.builds(_pause, st.booleans(), st.sampled_from(["ann", ""])),
    st.just(Throw("resume", {"by": "bob"})),
    st.builds(_redirect, _texts, st.booleans()),
    st.builds(_decide, _ids, _decisions, _notes),
    st.builds(_edit, _ids, st.sampled_from(MORE), st.booleans()),
    st.builds(_answer, _ids, _texts, st.booleans()),
    st.builds(_cancel, _notes, st.sampled_from(["run", "turn"])),
    st.builds(_message, _texts, st.sampled_from(["queue", "redirect", "reject"])),
    st.builds(_message, _texts, st.sampled_from(["queue", "redirect", "reject"])),
    st.just(Throw("close")),
)
_signals: st.SearchStrategy[Command | None] = st.one_of(
    st.none(),
    st.builds(Pause, now=st.booleans()),
    st.builds(Resume),
    st.builds(Redirect, message=_texts, now=st.booleans()),
    st.builds(Cancel, reason=st.just(TOO_LONG)),
    st.builds(
        Decide,
        approval_id=st.sampled_from(IDS),
        decision=st.sampled_from(["approve", "deny", "perhaps"]),
        arguments=st.none() | st.sampled_from(MORE),
    ),
    st.builds(Answer, request_id=st.sampled_from(IDS), text=_texts),
    st.builds(SendMessage, content=_texts),
    st.builds(Close),
)
_drawn = st.one_of(*[st.sampled_from(SHAPES)] * 3, st.sampled_from(FAMILIES))
_shapes = st.lists(st.tuples(_drawn, st.booleans()), min_size=2, max_size=4)
_futures = st.fixed_dictionaries(
    {},
    optional={
        "from_step": st.integers(1, 3),
        "message": st.sampled_from(["and then?", json.dumps({"rehearse": [SPEECH, DONE]})]),
    },
)
_which = st.integers(0, 3)


class AnyOrder(RuleBasedStateMachine):
    """Some runs side by side."""

    def __init__(self, runner: asyncio.Runner, thrower: Thrower) -> None:
        super().__init__()
        self._runner = runner
        self._thrower = thrower.again()
        self._gently = True

    def _do(self, *work: Coroutine[Any, Any, None]) -> None:
        for each in work:
            self._runner.run(each)

    def _pick(self, which: int) -> str:
        runs = self._thrower.runs
        return runs[which % len(runs)]

    @initialize(shapes=_shapes, gently=st.booleans())
    def start(self, *, shapes: list[tuple[Shape, bool]], gently: bool) -> None:
        self._gently = gently
        for (script, limits), talks in shapes:
            agent = "lead" if (script, limits) in FAMILIES else "steered"
            self._do(self._thrower.submit(script, talks=talks, agent=agent, **limits))

    @rule(ms=st.integers(0, 300))
    def wait(self, ms: int) -> None:
        self._do(asyncio.sleep(ms / 1000))

    @rule(
        which=_which,
        throws=st.lists(_throws, min_size=1, max_size=3),
        times=st.sampled_from([1, 1, 2]),
    )
    def throw(self, which: int, throws: list[Throw], times: int) -> None:
        self._do(self._thrower.throw(self._pick(which), *throws, times=times))

    @rule(which=_which, nth=_which, throws=st.lists(_throws, min_size=1, max_size=2))
    def throw_below(self, which: int, nth: int, throws: list[Throw]) -> None:
        self._do(self._thrower.throw_below(self._pick(which), nth, *throws))

    @rule(which=_which, body=_futures)
    def fork(self, which: int, body: dict[str, Any]) -> None:
        self._do(self._thrower.fork(self._pick(which), **body))

    @rule(which=_which)
    def wait_for_a_question(self, which: int) -> None:
        self._do(self._thrower.asked(self._pick(which)))

    @rule(which=_which, now=st.booleans(), throws=st.lists(_throws, min_size=1, max_size=2))
    def throw_while_paused(self, which: int, now: bool, throws: list[Throw]) -> None:
        run_id = self._pick(which)
        self._do(self._thrower.throw(run_id, _pause(now, "ann")))
        for throw in (*throws, Throw("resume")):
            self._do(self._thrower.throw(run_id, throw))

    @rule(which=_which, command=_signals)
    def signal(self, which: int, command: Command | None) -> None:
        self._do(self._thrower.signal(self._pick(which), command))

    @rule(which=_which, nth=st.integers(0, 5), times=st.integers(1, 3))
    def send_again(self, which: int, nth: int, times: int) -> None:
        run_id = self._pick(which)
        for command_id in [*self._thrower.sent[run_id]][nth : nth + 1]:
            self._do(self._thrower.post(run_id, command_id, times=times))

    def teardown(self) -> None:
        self._do(self._thrower.finish(gently=self._gently), self._thrower.check())


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    """Collecting all that a test process holds would count as a workflow that does not yield."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.stack
@pytest.mark.timeout(600)  # one stack, a hundred runs
def test_every_command_has_one_outcome_and_every_run_one_end(tmp_path: Path) -> None:
    play(tmp_path, TRANSITIONS)


@pytest.mark.soak
@pytest.mark.stack
@pytest.mark.timeout(3 * 3600)
def test_the_same_holds_for_many_transitions(tmp_path: Path) -> None:
    play(tmp_path, MANY_TRANSITIONS)


def play(folder: Path, transitions: int) -> None:
    """So many transitions on one stack with two workers."""
    more = settings(SETTINGS, max_examples=transitions // STEPS, stateful_step_count=STEPS)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = DevStack(folder / "dev", "--workers", "2", RELAYLINE_FILES_ROOT=str(folder))
        runner.run(stack.__aenter__())
        try:
            thrower = runner.run(Thrower.on(stack))

            class OnThisStack(AnyOrder):
                def __init__(self) -> None:
                    super().__init__(runner, thrower)

            run_state_machine_as_test(OnThisStack, settings=more)
        finally:
            runner.run(stack.__aexit__(None, None, None))
