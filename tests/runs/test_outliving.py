"""What waits for a person outlives every process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.dev_stack import DevStack

pytestmark = pytest.mark.stack


def kill_all(stack: DevStack) -> None:
    """SIGKILL every process of the stack, its supervisor first so that it restarts nothing.

    Linux kills the children of a dead supervisor, so they may be gone before their turn comes.
    """
    for pid in (stack.supervisor_pid, *stack.pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.representative
async def test_an_approval_outlives_the_kill_of_every_process(tmp_path: Path) -> None:
    call = {"call": "pay", "arguments": {"amount": 200}}
    async with DevStack(tmp_path) as stack:
        run_id = await stack.submit(call, {"say": "done"}, agent="steered")
        await stack.seen(run_id, "run.waiting")
        kill_all(stack)
    async with DevStack(tmp_path) as stack:
        run = (await stack.client.get(f"/v1/runs/{run_id}")).json()
        assert (run["status"], run["waiting_for"][0]["id"]) == ("waiting", "approval_1_0")
        await stack.send(run_id, "approvals/approval_1_0", decision="approve", by="ann")
        assert (await stack.ended(run_id))["output"] == "done"
        resolved = await stack.seen(run_id, "approval.resolved")
        assert (resolved["data"]["decision"], resolved["data"]["by"]) == ("approve", "ann")


async def test_an_approval_that_expired_while_everything_was_down_is_denied_at_once(
    tmp_path: Path,
) -> None:
    async with DevStack(tmp_path) as stack:
        run_id = await stack.submit({"call": "hurried"}, {"say": "so be it"}, agent="steered")
        requested = await stack.seen(run_id, "approval.requested")
        kill_all(stack)
    expires_at = datetime.fromisoformat(requested["data"]["expires_at"])
    await asyncio.sleep(max((expires_at - datetime.now(UTC)).total_seconds(), 0) + 1)
    async with DevStack(tmp_path) as stack:
        up_at = datetime.now(UTC)
        resolved = await stack.seen(run_id, "approval.resolved")
        assert resolved["data"]["decision"] == "expired"
        late = datetime.fromisoformat(resolved["data"]["at"]) - up_at
        assert late.total_seconds() < 15
        assert (await stack.ended(run_id))["output"] == "so be it"
        answer = await stack.client.post(
            f"/v1/runs/{run_id}/approvals/approval_1_0", json={"decision": "approve"}
        )
        assert answer.status_code == 409
        assert "expired" in answer.json()["detail"]
