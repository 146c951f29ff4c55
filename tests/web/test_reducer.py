"""The page folds events as `relayline.projections` does: the same journals give the same run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.api.streams.event_filter import SETTLING
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    AttemptSuperseded,
    EventBody,
    InputReceived,
    InputRequested,
    MessageCompleted,
    MessageDelta,
    ReasoningDelta,
    RunPaused,
    RunQueued,
    RunResumed,
    RunRewound,
    StepStarted,
)
from relayline.journal.port import Selection
from relayline.projections.rendered import Rendered
from tests.examples import examples
from tests.projections.generated import CALLS, ENDS, NOW, STARTS, USAGES, runs, stored
from tests.web.page_files import copied_model, program

FOLD = Path(__file__).with_name("fold.mjs")


class Page:
    """The page's own reducer, in Node."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [program("node"), str(FOLD), str(copied_model(folder))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def folded(self, events: Sequence[StoredEvent]) -> dict[str, Any]:
        """What the page knows after each event, and what it shows in the end."""
        assert self._process.stdin
        assert self._process.stdout
        lines = ",".join(event.envelope_json() for event in events)
        self._process.stdin.write(f"[{lines}]\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def node_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    started = Page(tmp_path_factory.mktemp("model"))
    yield started
    started.close()


def told(run: Rendered) -> dict[str, Any]:
    """The same of the projection."""
    return {
        "seq": run.seq,
        "status": run.status.value,
        "open": [*run.waits.open],
        "steps": [
            [
                it.step, it.attempt, it.text, it.reasoning, it.ended, it.interrupted,
                it.finish_reason, it.usage.input_tokens, it.usage.output_tokens,
            ]
            for it in run.steps.values()
        ],
        "tools": [
            [
                it.call_id, it.name, it.step, dict(it.arguments), it.state.value, it.output,
                it.truncated, it.progress,
            ]
            for it in run.tools.values()
        ],
        "output": run.output,
        "error": run.error.message if run.error else None,
        "usage": [run.usage.input_tokens, run.usage.output_tokens],
    }  # fmt: skip


def expected(events: Sequence[StoredEvent]) -> list[dict[str, Any]]:
    """What the projection knows after each event."""
    run, found = Rendered(), []
    for event in events:
        run = run.apply(event)
        found.append(told(run))
    return found


TALK: list[EventBody] = [
    StepStarted(model="m"),
    MessageDelta(text="a"),
    MessageDelta(text="bc"),
    ReasoningDelta(text="d"),
    *(AttemptSuperseded(attempt=n, from_seq=0, to_seq=0, reason="lost") for n in (1, 2)),
    MessageCompleted(text="a", tool_calls=(CALLS[0],), finish_reason="stop", usage=USAGES[1]),
]
WAITING: list[EventBody] = [
    ApprovalRequested(approval_id="a", call_id="call_1_0", tool="look"),
    ApprovalResolved(approval_id="a", decision="approve", at=NOW),
    InputRequested(request_id="b", question="?"),
    InputReceived(request_id="b", text="!"),
    RunPaused(),
    RunResumed(),
    STARTS[0],
    ENDS[0],
    ENDS[-1],
]
talk = st.sampled_from([*product(TALK, (1,), (1, 2, 3))])
waiting = st.sampled_from([*product(WAITING, (None,), (None,))])
back = st.integers(0, 12)


@st.composite
def dense_runs(draw: st.DrawFn) -> list[StoredEvent]:
    """Short runs of few kinds of events, where late ones and resets meet what they change."""
    later = draw(st.sampled_from([None, NOW]))
    first = RunQueued(agent="a", model="m", submitted_at=NOW, start_at=later)
    events = [stored(1, first, None, None)]
    kind = draw(st.sampled_from([talk, waiting, st.one_of(talk, waiting)]))
    for place in draw(st.lists(st.one_of(kind, kind, kind, kind, back), max_size=20)):
        seq = len(events) + 1
        if isinstance(place, int):
            body = RunRewound(to_seq=min(place, seq - 1), epoch=1)
            events.append(stored(seq, body, None, None))
        else:
            events.append(stored(seq, *place))
    return events


@examples(400)
@given(events=st.one_of(dense_runs(), runs()))
def test_after_each_event_the_page_knows_what_the_projection_knows(
    node_page: Page, events: Sequence[StoredEvent]
) -> None:
    folded = node_page.folded(events)
    assert folded["seen"] == expected(events)
    run_open = folded["seen"][-1]["open"] if events else []
    assert sorted(folded["asks"]) == sorted(run_open)


def known(seen: dict[str, Any]) -> dict[str, Any]:
    """What is known of a run but for the steps that have not ended, and reasoning."""
    steps = {number: text for number, _, text, _, ended, *_ in seen["steps"] if ended}
    return {**seen, "steps": steps}


@examples(200)
@given(events=st.one_of(dense_runs(), runs()))
def test_without_the_deltas_of_settled_steps_it_knows_the_same(
    node_page: Page, events: Sequence[StoredEvent]
) -> None:
    settled = max([0, *(event.seq for event in events if event.type in SETTLING)])
    wanted = Selection(deltas_after=settled)
    fewer = [event for event in events if wanted.has(event.type, event.seq)]
    if not fewer or fewer[-1] != events[-1]:
        return  # its cursor is an earlier one
    assert known(node_page.folded(fewer)["seen"][-1]) == known(expected(events)[-1])


@given(events=runs(), data=st.data())
def test_events_that_come_again_change_nothing(
    node_page: Page, events: Sequence[StoredEvent], data: st.DataObject
) -> None:
    until = data.draw(st.integers(0, len(events)))
    back = data.draw(st.integers(0, until))
    again = [*events[:until], *events[back:until], *events[until:]]
    once, twice = node_page.folded(events), node_page.folded(again)
    assert once["items"] == twice["items"]
    assert once["seen"][-1:] == twice["seen"][-1:]
