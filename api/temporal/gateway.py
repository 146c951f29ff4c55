"""All calls of the API to Temporal, bounded in time, with typed answers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from datetime import datetime, timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import (
    QueryRejectCondition,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from relayline.api.errors import TemporalUnavailable
from relayline.api.temporal.deadline import UnreadablePayload, decrypting, with_deadline
from relayline.api.temporal.execution import (
    Execution,
    details,
    execution_of,
    first_status,
    priority_of,
    summary,
)
from relayline.api.temporal.namespace import UnfitNamespace
from relayline.api.temporal.proof_headers import proving, with_proof_headers
from relayline.api.temporal.signals import (
    SIGNAL_S,
    check_refusal,
    find_signal,
    first_input,
    send_signal,
)
from relayline.contracts.commands import AnyCommand, Cancel
from relayline.contracts.runs import (
    MEMO_REQUEST,
    SEARCH_AGENT,
    SEARCH_STATUS,
    SEARCH_TENANT,
    TASK_QUEUE,
    RunInput,
    RunProgress,
    RunRequestMemo,
    RunResult,
)
from relayline.projections.terminal import Closing
from relayline.runtime.temporal import closing_of
from relayline.workflows.agent_run import AgentRun

START_S = 5.0
QUERY_S = 2.0
DESCRIBE_S = 2.0
TASK_TIMEOUT = timedelta(seconds=5)
"""Timeout of a workflow task: a dead worker is noticed after this."""
FIND_S = TASK_TIMEOUT.total_seconds() + 5.0
"""A signal may be missing from the history for as long as a task may take."""
_STATUS = SearchAttributeKey.for_keyword(SEARCH_STATUS)
_AGENT = SearchAttributeKey.for_keyword(SEARCH_AGENT)
_TENANT = SearchAttributeKey.for_keyword(SEARCH_TENANT)
_ATTRIBUTE = "search attribute"
_TASK_FAILS = "Workflow Task in failed state"
"""In Temporal's error for a query that it refuses without asking a worker."""
_log = logging.getLogger(__name__)


class Gateway:
    """Every call to Temporal; each is bounded in time.

    Every method raises `TemporalUnavailable` when Temporal did not answer in time.
    """

    def __init__(self, client: Client, page_url: str = "") -> None:
        """Talk to Temporal by this client.

        Args:
            client: Of the Temporal that has the runs.
            page_url: Address of our page, for the link to it in Temporal's; empty: no link.
        """
        self._client = with_proof_headers(client)
        self._page_url = page_url

    async def start(
        self,
        run: RunInput,
        submitted_at: datetime,
        cancel: Cancel | None = None,
        proof: str = "",
    ) -> None:
        """Start the workflow; with a command, it has that before its first step.

        Args:
            run: Its argument.
            submitted_at: When the run was submitted.
            cancel: The command.
            proof: Of who sent the command; empty: there is none.

        Raises:
            WorkflowAlreadyStartedError: Temporal has a run with that id, open or closed; with a
                command, an open one gets it instead.
            UnfitNamespace: the namespace does not exist or lacks search attributes.
        """
        starting = self._client.start_workflow(
            AgentRun.run,
            run,
            id=run.run_id,
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=(
                WorkflowIDConflictPolicy.USE_EXISTING if cancel else WorkflowIDConflictPolicy.FAIL
            ),
            start_signal=cancel.kind.value if cancel else None,
            start_signal_args=[cancel] if cancel else [],
            priority=priority_of(run),
            memo={
                MEMO_REQUEST: _request(run, submitted_at)
            },  # without MEMO_PROGRESS it is queued, or scheduled
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(_STATUS, first_status(run).value),
                    SearchAttributePair(_AGENT, run.agent.name),
                    SearchAttributePair(_TENANT, run.tenant),
                ]
            ),
            static_summary=summary(run),
            static_details=details(run, self._page_url),
            rpc_timeout=timedelta(seconds=START_S),
        )
        try:
            with proving(proof):
                await with_deadline(START_S, starting)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND or _ATTRIBUTE in error.message:
                raise UnfitNamespace(error.message) from error
            raise

    async def execution(self, run_id: str) -> Execution | None:
        """The run as Temporal knows it, None if it doesn't."""
        call = self._handle(run_id).describe(rpc_timeout=timedelta(seconds=DESCRIBE_S))
        try:
            described = await with_deadline(DESCRIBE_S, call)
        except RPCError as error:
            _check_not_found(error)
            return None
        with decrypting():
            return await execution_of(described)

    async def input_of(self, run_id: str) -> RunInput | None:
        """The argument of the run's newest execution, None if Temporal does not know the run."""
        handle, converter = self._handle(run_id), self._client.data_converter
        try:
            return await with_deadline(DESCRIBE_S, first_input(handle, converter))
        except RPCError as error:
            _check_not_found(error)
            return None

    async def closing(self, run_id: str) -> Closing | None:
        """How the run was closed, None while it is open, or if Temporal does not know it."""
        try:
            return await with_deadline(DESCRIBE_S, closing_of(self._client, run_id))
        except RPCError as error:
            _check_not_found(error)
            return None

    async def signal(self, run_id: str, command: AnyCommand, proof: str = "") -> bool:
        """Send the command, with the proof of its sender; False for an unknown or ended run.

        Raises:
            TooManyCommands: Temporal accepts no more signals for it.
        """
        try:
            with proving(proof):
                await with_deadline(SIGNAL_S, send_signal(self._handle(run_id), command))
        except RPCError as error:
            check_refusal(run_id, error)
            _check_not_found(error)
            return False
        return True

    async def received(self, run_id: str, command_id: str) -> AnyCommand | None:
        """A command that Temporal has accepted for the run, whether it was read or not.

        None if there is none. Also finds commands that were not sent through this API.
        """
        call = find_signal(self._handle(run_id), self._client.data_converter, command_id)
        try:
            return await with_deadline(FIND_S, call)
        except RPCError as error:
            _check_not_found(error)
            return None

    async def progress(self, run_id: str) -> RunProgress | None:
        """The workflow's own answer; None without a worker, or if the run has ended or is unknown.

        Also None when Temporal is down.
        """
        try:
            return await with_deadline(QUERY_S, self._query(run_id))
        except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
            _log.debug("query not answered", extra={"run_id": run_id, "reason": str(error)})
        except (TemporalUnavailable, RPCError) as error:
            _log.debug("query failed", extra={"run_id": run_id, "reason": str(error)})
        return None

    async def has_worker(self, run_id: str) -> bool | None:
        """True when a worker answers for the run; None when this run can't show it.

        A run can't if it has ended, Temporal does not know it, or its workflow fails. Ask only
        while Temporal answers: otherwise the answer is False.
        """
        try:
            await with_deadline(QUERY_S, self._query(run_id))
        except (WorkflowQueryFailedError, UnreadablePayload):
            return True
        except (WorkflowQueryRejectedError, RPCError):
            return None
        except TemporalUnavailable as error:
            return None if _TASK_FAILS in str(error.__cause__) else False
        return True

    async def check(self) -> None:
        """Return when Temporal answers and has the namespace."""
        service = self._client.workflow_service
        request = DescribeNamespaceRequest(namespace=self._client.namespace)
        call = service.describe_namespace(request, timeout=timedelta(seconds=DESCRIBE_S))
        try:
            await with_deadline(DESCRIBE_S, call)
        except RPCError as error:
            raise TemporalUnavailable(str(error)) from error

    def _query(self, run_id: str) -> Awaitable[RunProgress]:
        return self._handle(run_id).query(
            AgentRun.progress,
            reject_condition=QueryRejectCondition.NOT_OPEN,
            rpc_timeout=timedelta(seconds=QUERY_S),
        )

    def _handle(self, run_id: str) -> WorkflowHandle[AgentRun, RunResult]:
        return self._client.get_workflow_handle_for(AgentRun.run, run_id)


def _request(run: RunInput, submitted_at: datetime) -> RunRequestMemo:
    agent = run.agent
    return RunRequestMemo(
        agent=agent.name,
        model=agent.model,
        limits=agent.limits,
        request_sha256=run.request_sha256,
        metadata=run.metadata,
        user=run.user,
        created_at=submitted_at,
        start_at=run.start_at,
        forked_from=run.past.source if run.past else None,
    )


def _check_not_found(error: RPCError) -> None:
    if error.status is not RPCStatusCode.NOT_FOUND:
        raise error
