"""When a run tells its parent."""

from __future__ import annotations

from relayline.contracts.family.asking import ChildReport
from relayline.contracts.messages import Usage
from relayline.contracts.runs import AgentSpec, Limits, ParentCall, RunInput, Waiting
from relayline.workflows.children.reporting import OFTEN, PARTS, Reporting
from relayline.workflows.state import RunState

CHILD = "run_0123456789abcdef"
TOP = "run_fedcba9876543210"


class Heard(Reporting):
    """Keeps what it would signal."""

    def __init__(self, state: RunState) -> None:
        call = ParentCall(run_id=TOP, call_id="call_1_0", root=TOP)
        agent = AgentSpec(name="a", model="rehearsal")
        super().__init__(RunInput(run_id=CHILD, agent=agent, input="", parent=call), state)
        self.heard: list[ChildReport] = []

    def _tell_soon(self, parent: str) -> None:
        assert parent == TOP
        self._told = self._newest
        self._sent += 1
        self.heard.append(self._newest)


def test_a_parent_hears_of_each_step_and_later_of_each_larger_part_alone() -> None:
    state = RunState(limits=Limits(max_tokens=1_000_000))
    told = Heard(state)
    for _ in range(10 * OFTEN):
        state.usage += Usage(input_tokens=1000)
        told.tell(())
    assert len(told.heard) <= OFTEN + PARTS
    behind = state.usage.total_tokens - told.heard[-1].usage.total_tokens
    assert behind < state.limits.max_tokens / PARTS


def test_a_parent_hears_at_once_of_what_the_run_waits_for() -> None:
    told = Heard(RunState())
    own = Waiting(kind="input", id="input_1_0", what="?")
    below = Waiting(kind="input", id="run_low.input_1_0", what="?", run_id="run_low")
    told.tell((own, below))
    told.tell((own, below))
    [report] = told.heard
    assert [it.id for it in report.waiting_for] == [f"{CHILD}.input_1_0", "run_low.input_1_0"]
    assert [it.run_id for it in report.waiting_for] == [CHILD, "run_low"]
    told.tell(())
    assert told.heard[-1].waiting_for == ()
