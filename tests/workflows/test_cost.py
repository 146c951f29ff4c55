"""A limit of cost: the run fails, or asks a person, once its model calls have cost as much."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from relayline.contracts.calls import ModelResult
from relayline.contracts.commands import Decide
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ApprovalRequested, BudgetExceeded, RunFailed
from relayline.contracts.messages import Usage
from relayline.contracts.money import Cost
from relayline.contracts.runs import Limits, Phase, RunStatus
from tests.workflows.fakes import CALL, STOP, Fakes, send, shows
from tests.workflows.test_budgets import failure


def costing(result: ModelResult, amount: str | None) -> ModelResult:
    cost = Cost(amount=amount) if amount else None
    return result.model_copy(update={"usage": Usage(input_tokens=10, output_tokens=1, cost=cost)})


async def test_a_run_that_has_cost_as_much_as_it_may_fails(temporal: Client) -> None:
    """0.1 + 0.2 is exactly 0.3: no more and no less."""
    fakes = Fakes([costing(CALL, "0.1"), costing(CALL, "0.2"), STOP])
    async with fakes.running(temporal, Limits(max_cost=0.3)) as handle:
        assert (await failure(handle)).type == ErrorType.BUDGET_EXCEEDED
    body = fakes.fact("budget.exceeded").body
    assert isinstance(body, BudgetExceeded)
    assert (body.limit, body.used, body.allowed) == ("max_cost", 0.3, 0.3)
    end = fakes.fact("run.failed").body
    assert isinstance(end, RunFailed)
    assert end.error.message == "max_cost=0.3 is used up"
    assert end.usage.cost == Cost(amount="0.3")


async def test_a_person_may_raise_the_limit_of_cost(temporal: Client) -> None:
    fakes = Fakes([costing(CALL, "0.6"), costing(STOP, "0.5")])
    async with fakes.running(temporal, Limits(max_cost=0.5, on_limit="ask")) as handle:
        progress = await shows(handle, RunStatus.WAITING, Phase.WAITING)
        what = "max_cost=0.5 is used up: the run has used 0.6; approve to continue"
        assert progress.waiting_for[0].what == what
        decide = Decide(command_id="d", approval_id="approval_budget_1", decision="approve")
        await send(handle, decide)
        result = await handle.result()
        assert result.usage.cost == Cost(amount="1.1")
        assert (await shows(handle, RunStatus.COMPLETED)).limits.max_cost == 1.0
    requested = fakes.fact("approval.requested").body
    assert isinstance(requested, ApprovalRequested)
    assert requested.arguments == {
        "limit": "max_cost",
        "used": 0.6,
        "allowed": 0.5,
        "raise_to": 1.0,
    }


@pytest.mark.parametrize("amount", [None, "0.29"])
async def test_a_run_below_its_limit_of_cost_continues(
    temporal: Client, amount: str | None
) -> None:
    fakes = Fakes([costing(CALL, amount), STOP])
    async with fakes.running(temporal, Limits(max_cost=0.3)) as handle:
        assert (await handle.result()).status is RunStatus.COMPLETED
