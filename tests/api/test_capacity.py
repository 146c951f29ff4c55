"""A flood of commands is refused before it fills up a run's history."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.api.commands.capacity import MAX_BYTES, MAX_EVENTS, check_capacity
from relayline.api.errors import TooManyCommands
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.signals import check_refusal
from relayline.contracts.commands import CommandKind
from relayline.contracts.runs import RunMemo, RunStatus
from tests.api.serving import Api
from tests.api.test_commands import sent, submitted

MUCH = "x" * 1_900_000
"""A little less than Temporal takes in one signal."""
RUN = Execution("run_1", RunStatus.RUNNING, None, RunMemo(), datetime.now(UTC), None)
FILLING = ("pause", "redirect")
HELPING = ("resume", "cancel", "decide", "answer")


async def test_a_run_whose_history_fills_up_takes_only_what_it_may_wait_for(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api)
    handle = api_temporal.get_workflow_handle(run)
    while (await handle.describe()).raw_description.workflow_execution_info.history_size_bytes < (
        MAX_BYTES
    ):
        await handle.signal("redirect", MUCH)
    answer = await api.http.post(f"/v1/runs/{run}/redirect", json={"message": "more"})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (429, "urn:relayline:problem:too-many-commands")
    assert "takes no redirect before its step is over" in problem["detail"]
    await sent(api, run, "cancel")
    await handle.terminate()


@pytest.mark.parametrize("kind", FILLING)
def test_what_fills_the_history_is_refused_first(kind: str) -> None:
    check_capacity(CommandKind(kind), RUN._replace(history_events=MAX_EVENTS - 1))
    for full in (RUN._replace(history_events=MAX_EVENTS), RUN._replace(history_bytes=MAX_BYTES)):
        with pytest.raises(TooManyCommands):
            check_capacity(CommandKind(kind), full)


@pytest.mark.parametrize("kind", HELPING)
def test_what_a_run_may_wait_for_has_a_reserve(kind: str) -> None:
    check_capacity(
        CommandKind(kind), RUN._replace(history_events=MAX_EVENTS, history_bytes=MAX_BYTES)
    )
    with pytest.raises(TooManyCommands):
        check_capacity(CommandKind(kind), RUN._replace(history_events=2 * MAX_EVENTS))


def test_what_temporal_says_to_one_signal_too_many_is_understood() -> None:
    said = "Exceeded workflow execution limit for signal events"
    with pytest.raises(TooManyCommands):
        check_refusal("run_1", RPCError(said, RPCStatusCode.INVALID_ARGUMENT, b""))
    check_refusal("run_1", RPCError("no such run", RPCStatusCode.NOT_FOUND, b""))
