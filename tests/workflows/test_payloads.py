"""Signals as anybody may send them: with no payload, with any, and under any name."""

from __future__ import annotations

import pytest
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import RequestCancelWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from relayline.contracts.commands import Cancel, CommandKind, generated_id
from relayline.contracts.envelope import storable
from relayline.contracts.events import CommandAccepted, CommandApplied, CommandRefused, RunCancelled
from relayline.contracts.runs import RunResult, RunStatus
from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun
from tests.workflows.fakes import STOP, Fakes, Stubborn, hangs, send


def sent(data: bytes, encoding: bytes = b"json/plain") -> RawValue:
    """A payload as no client of ours would send it."""
    return RawValue(Payload(metadata={"encoding": encoding}, data=data))


NO_TEXT = sent(b'{"by": "\\ud800", "message": "go"}')


@pytest.mark.slow
async def test_signals_without_a_payload_work_or_are_refused_by_field(temporal: Client) -> None:
    fakes = Fakes([hangs, hangs])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        for name in CommandKind:
            if name is not CommandKind.CANCEL:
                await handle.signal(name.value)
        await fakes.until("command.refused", 5)
        await handle.signal("cancel")
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert fakes.count("command.accepted") == 8
    applied = [it for it in fakes.bodies("command.applied") if isinstance(it, CommandApplied)]
    assert [it.kind for it in applied] == ["pause", "resume", "cancel"]
    refused = [it for it in fakes.bodies("command.refused") if isinstance(it, CommandRefused)]
    assert {it.reason for it in refused} == {
        "message: is missing",
        "approval_id: is missing",
        "request_id: is missing",
        "content: is missing",
        "not-open: the run was not submitted with `open`",
    }


async def refused(temporal: Client, payloads: list[object]) -> tuple[Fakes, CommandRefused]:
    """A run that was sent such a redirect, went on to its end and replays; what it said of it."""
    model = Stubborn()
    fakes = Fakes([model.model])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await handle.signal("redirect", args=payloads)
        await fakes.until("command.refused")
        model.release()
        assert (await handle.result()).status is RunStatus.COMPLETED
        await replay(handle)
    [body] = fakes.bodies("command.refused")
    assert isinstance(body, CommandRefused)
    return fakes, body


@pytest.mark.slow
@pytest.mark.parametrize(
    ("payloads", "reason"),
    [
        ([{"command_id": "x", "message": 5, "by": "ann"}], "message: Input should be"),
        ([{"command_id": "x", "message": "go", "now": "soon"}], "now: Input should be"),
        ([{"message": "go"}, {"message": "go"}], "payload: must be a JSON object"),
        (["go"], "payload: "),
        ([b"go"], "payload: "),
        ([["go"]], "payload: "),
        ([None, 7], "payload: "),
        ([{"command_id": 7, "message": "go"}], "command_id: "),
        ([{"by": "x" * 300, "command_id": "x" * 300, "message": " "}], "message: is missing"),
    ],
)
async def test_a_payload_that_is_no_command_is_refused_and_the_run_goes_on(
    temporal: Client, payloads: list[object], reason: str
) -> None:
    fakes, body = await refused(temporal, payloads)
    assert body.reason.startswith(reason)
    assert body.command_id == "x" or body.command_id.startswith("cmd_")
    assert "message.interrupted" not in fakes.types


@pytest.mark.slow
@pytest.mark.parametrize(
    "payloads",
    [
        [NO_TEXT],
        [sent(b"{")],
        [sent(b"[" * 5000)],
        [sent(b"sealed", b"binary/sealed")],
        [sent(b"{}", b"\xff")],
        [RawValue(Payload(data=b"{}"))],
        [{"message": "go"}, sent(b"")],
    ],
    ids=["surrogate", "broken", "deep", "sealed", "no encoding", "unnamed", "second"],
)
async def test_a_payload_that_can_not_be_decoded_is_refused_and_the_run_goes_on(
    temporal: Client, payloads: list[object]
) -> None:
    fakes, body = await refused(temporal, payloads)
    assert body.reason == "payload: must be a JSON object"
    assert fakes.count("command.accepted") == 1


async def test_a_run_whose_worker_dropped_such_a_payload_goes_on_without_it(
    temporal: Client,
) -> None:
    drops = Client(
        temporal.service_client,
        namespace=temporal.namespace,
        data_converter=pydantic_data_converter,
    )
    fakes = Fakes([hangs])
    async with fakes.running(drops) as handle:
        await fakes.begun.wait()
        await handle.signal("pause", NO_TEXT)
        await handle.query(AgentRun.progress)  # answered once the signal was met
        await send(handle, Cancel())
        assert (await handle.result()).status is RunStatus.CANCELLED
        await replay(handle)
    assert fakes.count("command.accepted") == 1


async def replay(handle: WorkflowHandle[AgentRun, RunResult]) -> None:
    """As the code is, with nothing but the history."""
    replayer = Replayer(workflows=[AgentRun], data_converter=data_converter)
    await replayer.replay_workflow(await handle.fetch_history())


@pytest.mark.parametrize("given", ["a\0b", "\0"])
async def test_an_id_that_no_journal_can_hold_is_replaced_by_the_same_one_each_time(
    temporal: Client, given: str
) -> None:
    fakes = Fakes([hangs, STOP])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        for _ in range(2):
            await handle.signal("redirect", {"command_id": given, "message": "go on"})
        assert (await handle.result()).status is RunStatus.COMPLETED
    [accepted] = fakes.bodies("command.accepted")
    assert isinstance(accepted, CommandAccepted)
    assert accepted.command_id == generated_id(given)
    assert fakes.applied(accepted.command_id)
    assert all(storable(fact.key or "") for fact in fakes.facts)
    assert fakes.count("message.user") == 2


async def test_an_id_that_a_journal_can_hold_is_kept_whatever_is_in_it(temporal: Client) -> None:
    fakes, given = Fakes([hangs]), "Größe / 7 \n"
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, Cancel(command_id=given))
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert fakes.applied(given)


async def test_a_sender_who_calls_himself_temporal_is_a_sender_like_any_other(
    temporal: Client,
) -> None:
    fakes = Fakes([hangs])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, Cancel(command_id="c", by="temporal"))
        assert (await handle.result()).status is RunStatus.CANCELLED


async def test_a_cancel_request_with_a_long_reason_is_heard_and_its_reason_cut(
    temporal: Client,
) -> None:
    fakes = Fakes([hangs])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await temporal.workflow_service.request_cancel_workflow_execution(
            RequestCancelWorkflowExecutionRequest(
                namespace=temporal.namespace,
                workflow_execution=WorkflowExecution(workflow_id=handle.id),
                reason="x" * 40_000,
            )
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    body = fakes.fact("run.cancelled").body
    assert isinstance(body, RunCancelled)
    assert len(body.reason) == 1000
