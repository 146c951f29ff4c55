"""Whatever checks arguments, it holds up neither the heartbeats of this call nor of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any

from pydantic import AfterValidator
from temporalio.testing import ActivityEnvironment

from relayline.activities.tool.call import ToolActivities
from relayline.catalog.tools import tool
from relayline.contracts.calls import CheckRequest, CheckResult
from relayline.journal.port import Journal
from tests.activities.tool.conftest import Bench

PATIENCE_S = 10.0
MUCH: list[Any] = [1] * 2000
CHECK: ContextVar[Callable[[], None]] = ContextVar("CHECK")


def checked(numbers: list[int]) -> list[int]:
    CHECK.get()()
    return numbers


@tool
def total(numbers: Annotated[list[int], AfterValidator(checked)]) -> int:
    return sum(numbers)


async def test_heartbeats_go_on_while_bulky_arguments_are_checked(bench: Bench) -> None:
    def two_heartbeats() -> None:
        before, deadline = bench.heartbeats, time.monotonic() + PATIENCE_S
        while bench.heartbeats < before + 2:
            if time.monotonic() > deadline:
                raise ValueError("nobody sent a heartbeat")
            time.sleep(0.01)

    CHECK.set(two_heartbeats)
    assert (await bench.run(total, numbers=MUCH)).preview == "2000"


async def test_arguments_are_checked_apart_from_the_worker_s_loop(journal: Journal) -> None:
    where: list[int] = []
    CHECK.set(lambda: where.append(threading.get_ident()))
    activities = ToolActivities(journal, {"total": total})
    for numbers in ([1], MUCH):
        request = CheckRequest(tool=total.spec, arguments={"numbers": numbers})
        found = await ActivityEnvironment().run(activities.check_arguments, request)
        assert found == CheckResult()
    assert len(where) == 2
    assert threading.get_ident() not in where
