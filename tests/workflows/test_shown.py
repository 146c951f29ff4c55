"""What Temporal's memo tells of a run is what the run says of itself."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from relayline.api.temporal.execution import execution_of
from relayline.contracts.calls import ModelRequest, ModelResult, PlannedCall
from relayline.contracts.commands import Decide, Pause, Resume
from relayline.contracts.runs import Phase, RunMemo, RunResult, RunStatus, ToolSpec
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.visibility import summary
from tests.workflows.fakes import STOP, Fakes, send, shows

RUNNING = RunMemo(status=RunStatus.RUNNING, step=1)


class Held:
    """A model that answers when it is released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(self, _: ModelRequest) -> ModelResult:
        await self.release.wait()
        return STOP


async def told(handle: WorkflowHandle[AgentRun, RunResult]) -> RunMemo:
    """Where the run stands, as Temporal tells it without a worker."""
    return (await execution_of(await handle.describe())).memo


async def test_a_run_that_was_paused_before_its_first_step_is_told_as_running_in_it(
    temporal: Client,
) -> None:
    model = Held()
    fakes = Fakes([model])
    async with fakes.running(temporal, first=[Pause(command_id="p")]) as handle:
        await shows(handle, RunStatus.PAUSED)
        paused = await told(handle)
        assert (paused.status, paused.step) == (RunStatus.PAUSED, 0)
        await send(handle, Resume(command_id="r"))
        await fakes.begun.wait()
        assert await told(handle) == RUNNING
        model.release.set()
        await handle.result()


async def test_so_is_one_that_went_on_in_a_new_execution_before_its_first_step(
    temporal: Client,
) -> None:
    model = Held()
    fakes = Fakes([model])
    fakes.history_bound = 20
    async with fakes.running(temporal, first=[Pause(command_id="p")]) as handle:
        first = (await handle.describe()).run_id
        number = 0
        while (await handle.describe()).run_id == first:
            await send(handle, Pause(command_id=f"p{number}"))
            await fakes.settled(f"p{number}")
            number += 1
        await shows(handle, RunStatus.PAUSED)
        await send(handle, Resume(command_id="r"))
        await fakes.begun.wait()
        assert await told(handle) == RUNNING
        model.release.set()
        await handle.result()


async def test_the_first_step_of_an_untouched_run_costs_no_memo(temporal: Client) -> None:
    model = Held()
    fakes = Fakes([model])
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.RUNNING, Phase.MODEL)
        await fakes.begun.wait()
        assert await told(handle) == RUNNING
        history = await handle.fetch_history()
        model.release.set()
        await handle.result()
    changed = [
        event
        for event in history.events
        if event.HasField("workflow_properties_modified_event_attributes")
    ]
    assert not changed


PAY = ToolSpec(name="pay", approval="always", approval_timeout_s=600)


def summaries(history: WorkflowHistory) -> list[str]:
    """The lines that Temporal's Web UI shows beside activities and timers, oldest first."""
    found = (event.user_metadata.summary for event in history.events)
    return [json.loads(payload.data) for payload in found if payload.data]


@pytest.mark.parametrize("preview", ["to=ann, amount=5", "😀" * 120])
async def test_what_a_run_waits_for_stands_in_the_list_of_events_of_temporals_web_ui(
    temporal: Client, preview: str
) -> None:
    call = PlannedCall(call_id="call_1_0", name="pay", preview=preview, approval=True)
    fakes = Fakes([ModelResult(finish_reason="tool_calls", calls=(call,)), STOP])
    fakes.tools = (PAY,)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await fakes.until("run.waiting")
        told = summaries(await handle.fetch_history())
        asked = f"waits for `approval: pay({preview}"
        timer = f"approval_1_0 expires: `pay({preview}"
        for words in (asked, timer):
            assert [line for line in told if line.startswith(words[:60])], told
        approve = Decide(command_id="d", approval_id="approval_1_0", decision="approve", by="ann")
        await send(handle, approve)
        assert (await handle.result()).status is RunStatus.COMPLETED


@given(st.text())
def test_a_summary_is_one_line_that_temporal_takes(text: str) -> None:
    line = summary(text)
    assert len(json.dumps(line, ensure_ascii=False).encode(errors="replace")) <= 400
    assert len(line) <= 100
    assert "\n" not in line
    if text.isascii() and len(text) <= 100:
        assert line == " ".join(text.split())


@given(st.text() | st.text('`a"😀', min_size=60))
def test_what_a_model_says_is_a_code_span_of_a_summary(text: str) -> None:
    line = summary("tool", text)
    assert len(json.dumps(line, ensure_ascii=False).encode(errors="replace")) <= 400
    if not text:
        assert line == "tool"
        return
    span = line.removeprefix("tool ")
    fence = "`" * (len(span) - len(span.lstrip("`")))
    assert fence
    assert span.endswith(fence)
    assert fence not in span[len(fence) : -len(fence)].strip()
