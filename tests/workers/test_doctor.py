"""`relayline doctor` against servers with and without fairness."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from relayline.console.commands.doctor import FAIR, UNFAIR
from relayline.console.fairness import FLOOD, OTHERS
from relayline.dev.temporal_server import find_binary, server_flags
from tests.console.test_cli import Ended, relayline

pytestmark = pytest.mark.slow


async def doctor(address: str) -> Ended:
    return await relayline("doctor", env={"TEMPORAL_ADDRESS": address})


async def test_the_doctor_finds_that_keys_take_turns_and_leaves_nothing_open(
    own_temporal: Client,
) -> None:
    ended = await doctor(own_temporal.service_client.config.target_host)
    assert (ended.code, ended.err) == (0, "")
    assert FAIR in ended.out
    assert "namespace 'default'" in ended.out
    handles = [
        own_temporal.get_workflow_handle(each.id) async for each in own_temporal.list_workflows()
    ]
    states = [(await handle.describe()).status for handle in handles]
    assert {state.name for state in states if state} <= {"TERMINATED"}
    assert len(states) <= FLOOD + OTHERS


async def test_the_doctor_says_what_a_server_without_fairness_means() -> None:
    flags = [
        flag if not flag.startswith("matching.enableFairness") else "matching.enableFairness=false"
        for flag in server_flags()
    ]
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_binary()), dev_server_extra_args=flags
    )
    try:
        ended = await doctor(env.client.service_client.config.target_host)
    finally:
        await env.shutdown()
    assert (ended.code, ended.err) == (0, "")
    assert UNFAIR in ended.out


async def test_the_doctor_of_no_server_says_so_in_one_line() -> None:
    ended = await doctor("127.0.0.1:1")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("relayline: ")
    assert ended.err.count("\n") == 1
