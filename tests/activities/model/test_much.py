"""Much data is looked at aside: the event loop, which sends all heartbeats, has others to serve."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Awaitable
from functools import partial

import pytest
from pydantic import JsonValue

from relayline.activities.arguments import MAX_ARGUMENTS_BYTES
from relayline.activities.model.port import CallPart
from relayline.activities.threads import in_thread
from relayline.catalog.tools import tool
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageDelta, StepStarted
from relayline.contracts.keys import started_key
from relayline.journal.port import Journal
from tests.activities.model.model_calls import Run, finished
from tests.activities.test_completion import interrupted, written


@pytest.mark.parametrize(
    ("data", "in_loop"),
    [
        ([], True),
        ([{"path": "README.md", "lines": [1, 2]}] * 32, True),
        (["x" * 1000], True),
        ([[1] * 2000], False),
        ([{"a": {str(number): None for number in range(2000)}}], False),
        (["x" * 100_000], False),
        ([1] * 2000, False),
    ],
)
async def test_only_much_data_is_worth_a_thread(data: list[JsonValue], in_loop: bool) -> None:
    where = threading.get_ident
    assert (await in_thread(where, data) == where()) is in_loop


async def test_what_fails_aside_fails_where_it_is_awaited() -> None:
    with pytest.raises(ValueError, match="a"):
        await in_thread(partial(int, "a"), [[1] * 2000])


@tool
def remember(words: list[str]) -> None: ...


MANY = CallPart("remember", {"words": ["x"] * 50_000})
assert len(json.dumps(MANY.arguments)) < MAX_ARGUMENTS_BYTES


async def share(work: Awaitable[object]) -> float:
    """How much of the processor time that the work took was the event loop's."""
    loop, everybody = time.thread_time(), time.process_time()
    await work
    return (time.thread_time() - loop) / (time.process_time() - everybody)


@pytest.mark.slow
async def test_bulky_arguments_do_not_hold_up_the_loop_of_a_worker(journal: Journal) -> None:
    run = Run(journal)
    run.agent = run.agent.model_copy(update={"tools": (remember.spec,)})
    model = finished(MANY, MANY, MANY)
    assert await share(run.call(model)) < 0.5
    assert await share(run.call(model, attempt=2)) < 0.5, "as it is in the journal"
    assert len(model.prompts) == 1


async def test_a_long_transcript_does_not_hold_up_the_loop_of_a_worker(journal: Journal) -> None:
    run = Run(journal)
    for step in range(1, 9):
        await run.call(finished(MANY), step=step)
    assert await share(run.call(finished(MANY), step=9)) < 0.5


async def test_a_long_text_that_was_interrupted_does_not_hold_up_the_loop_of_a_worker(
    journal: Journal,
) -> None:
    run = Run(journal)
    started = NewEvent(key=started_key(0, 1), body=StepStarted(model="m"), step=1)
    delta = NewEvent(body=MessageDelta(text="x" * 20), step=1, attempt=1)
    await journal.append(run.id, [started, *[delta] * 30_000])
    assert await share(written(run, interrupted())) < 0.5
