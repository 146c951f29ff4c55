"""Starts a call of another agent: its activities, and the workflow between them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from relayline.activities.family.calls import ChildActivities
    from relayline.catalog.family import reachable
    from relayline.contracts.calls import PlannedCall
    from relayline.contracts.envelope import Outbox
    from relayline.contracts.family.asking import ChildBegun, ChildEnd, ChildOutcome, ChildRequest
    from relayline.contracts.keys import child_run_id, child_started_key
    from relayline.contracts.runs import (
        MEMO_REQUEST,
        SEARCH_AGENT,
        SEARCH_STATUS,
        SEARCH_TENANT,
        TASK_QUEUE,
        AgentSpec,
        Limits,
        ParentCall,
        RunInput,
        RunRequestMemo,
        RunResult,
        RunStatus,
    )
    from relayline.workflows import policy
    from relayline.workflows.run import Run
    from relayline.workflows.visibility import summary

TASK_TIMEOUT = timedelta(seconds=5)
"""Timeout of a workflow task, as of every run."""
_BEGINS_LOCALLY = "begins-children-locally"
"""Patch id: calls of runs that started before begin with an activity of their own task."""
_WORKFLOW = "AgentRun"
_STATUS = SearchAttributeKey.for_keyword(SEARCH_STATUS)
_AGENT = SearchAttributeKey.for_keyword(SEARCH_AGENT)
_TENANT = SearchAttributeKey.for_keyword(SEARCH_TENANT)


class Beginning(NamedTuple):
    """The activity that journals a run, with the facts that it carries."""

    handle: workflow.ActivityHandle[ChildBegun]
    cargo: Outbox


def child_input(run: Run, call: PlannedCall, agent: AgentSpec, epoch: int) -> RunInput:
    """The input of the run that the call starts, without the message.

    It belongs to whom its parent does, and is kept as long. It may use what its parent has left.
    """
    given = run.input
    root = given.parent.root if given.parent else given.run_id
    left = _left(agent.limits, run, workflow.now())
    agent = agent.model_copy(update={"limits": left})
    return RunInput(
        run_id=child_run_id(given.run_id, epoch, call.call_id),
        agent=agent,
        agents=reachable(given.agents, agent),
        input="",
        metadata=given.metadata,
        tenant=given.tenant,
        by=given.by,
        user=given.user,
        parent=ParentCall(run_id=given.run_id, call_id=call.call_id, root=root),
        priority=given.priority,
        fairness_key=given.fairness_key,
        retention_days=given.retention_days,
        history_bound=given.history_bound,
    )


def _left(own: Limits, run: Run, now: datetime) -> Limits:
    """The limits of a child: its agent's, and at most what its parent has left."""
    limits, used = run.state.limits, run.state.used
    tokens = max(limits.max_tokens - used.total_tokens, 1)
    seconds = max(limits.max_wall_s - run.clock.worked_s(now), 1)
    left: dict[str, object] = {
        "max_tokens": min(own.max_tokens, tokens),
        "max_wall_s": min(own.max_wall_s, seconds),
    }
    if limits.max_cost is not None:
        spent = used.cost.dollars if used.cost else Decimal(0)
        cost = max(float(Decimal(str(limits.max_cost)) - spent), 1e-6)
        left["max_cost"] = cost if own.max_cost is None else min(own.max_cost, cost)
    return own.model_copy(update=left)


def begin(
    run: Run, call: PlannedCall, child: RunInput, epoch: int, approval_id: str | None
) -> Beginning:
    """Start the activity that journals the run; it carries the pending facts.

    If there are none, it runs in the workflow's own task, which is not committed then: it must not
    tell of decisions. A call that is decided otherwise in the next try leaves its run; whoever
    journals the end of that call ends it.
    """
    cargo = run.pending.cargo()
    run.pending.known.append(child_started_key(epoch, call.call_id))
    request = ChildRequest(
        run_id=run.input.run_id,
        epoch=epoch,
        step=run.state.step,
        call=call,
        tool=run.input.agent.tool(call.name),
        approval_id=approval_id,
        tenant=run.input.tenant,
        outbox=cargo,
        child=child,
        submitted_at=workflow.now(),
    )
    locally = not (cargo.facts or cargo.seals) and workflow.patched(_BEGINS_LOCALLY)
    start = workflow.start_local_activity_method if locally else workflow.start_activity_method
    handle: workflow.ActivityHandle[ChildBegun] = start(
        ChildActivities.begin_child,
        request,
        summary=summary("ask", f"{call.name}({call.preview})"),
        start_to_close_timeout=policy.RECORD_TIMEOUT,
        retry_policy=policy.RECORD_RETRY,
    )
    return Beginning(handle, cargo)


async def begun(beginning: Beginning) -> ChildBegun:
    """Wait until the journal has the run.

    Raises:
        ActivityError: the journal refuses it; a local activity fails with the cause alone.
    """
    try:
        return await beginning.handle
    except ApplicationError as cause:
        name = ChildActivities.begin_child.__name__
        raise ActivityError(
            cause.message,
            scheduled_event_id=0,
            started_event_id=0,
            identity="",
            activity_type=name,
            activity_id="",
            retry_state=None,
        ) from cause


async def start(child: RunInput) -> workflow.ChildWorkflowHandle[Any, RunResult]:
    """Start the run; returns once Temporal has it.

    Raises:
        WorkflowAlreadyStartedError: it was started before an operator's reset.
    """
    agent = child.agent
    memo = RunRequestMemo(
        agent=agent.name,
        model=agent.model,
        limits=agent.limits,
        metadata=child.metadata,
        user=child.user,
        parent=child.parent.run_id if child.parent else None,
        root=child.parent.root if child.parent else None,
        created_at=workflow.now(),
    )
    return await workflow.start_child_workflow(
        _WORKFLOW,
        child,
        id=child.run_id,
        task_queue=TASK_QUEUE,
        result_type=RunResult,
        task_timeout=TASK_TIMEOUT,
        cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
        parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        memo={MEMO_REQUEST: memo},
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(_STATUS, RunStatus.QUEUED.value),
                SearchAttributePair(_AGENT, agent.name),
                SearchAttributePair(_TENANT, child.tenant),
            ]
        ),
        static_summary=summary(f"{agent.name}:", child.input),
    )


async def end(request: ChildEnd) -> ChildOutcome:
    """Journal the end of the run and the result of its call, however long it takes."""
    return await workflow.execute_activity_method(
        ChildActivities.end_child,
        request,
        summary=f"child.ended · {request.agent}",
        start_to_close_timeout=policy.RECORD_TIMEOUT,
        retry_policy=policy.RECORD_RETRY,
    )
