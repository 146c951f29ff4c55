"""A tool whose workers have died is not run again."""

from __future__ import annotations

from relayline.catalog.tools import tool
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ToolFailed
from relayline.contracts.keys import call_scope
from tests.activities.lost import lost
from tests.activities.tool.conftest import CALL, Bench, failure


@tool
def fine() -> str:
    return "fine"


async def test_it_fails_as_worker_lost_once(bench: Bench) -> None:
    await bench.plan("fine", {})
    await lost(bench.journal, bench.run_id, call_scope(0, CALL), 4)
    for attempt in (5, 6):
        error = await failure(bench, fine, attempt)
        assert (error.type, error.non_retryable) == (ErrorType.WORKER_LOST, True)
    result = await bench.result()
    assert isinstance(result, ToolFailed)
    assert (result.error_type, result.retryable) == (ErrorType.WORKER_LOST, False)
    assert "fine has taken its worker along 3 times (4 workers died" in result.error
    assert await bench.types() == ["tool.failed"]


async def test_one_loss_less_lets_it_run(bench: Bench) -> None:
    await bench.plan("fine", {})
    await lost(bench.journal, bench.run_id, call_scope(0, CALL), 3)
    assert (await bench.call(fine, 4)).preview == "fine"
