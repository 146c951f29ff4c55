"""Has idle conversations of older builds continue on the current one, so that builds drain."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SignalWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.contracts.commands import MOVE_SIGNAL
from relayline.contracts.housekeeping import RUN_WORKFLOW
from relayline.contracts.runs import SEARCH_STATUS, RunStatus

MAX_MOVED = 100
"""Runs that one round signals."""
_TIMEOUT = timedelta(seconds=5)
_GONE = {RPCStatusCode.NOT_FOUND, RPCStatusCode.UNIMPLEMENTED}


class IdleRuns:
    """The idle runs of a Worker Deployment.

    Each is signalled once per build that became current, however often it is asked: Temporal drops
    a signal with the same request id. A run that begins a turn meanwhile moves when that is over.
    """

    def __init__(self, client: Client, deployment: str) -> None:
        self._client = client
        self._deployment = deployment

    async def move(self) -> int:
        """Signal idle runs of builds that are not current any more; how many.

        Raises:
            RPCError: Temporal did not answer.
        """
        info = await self._info()
        current = info.routing_config.current_deployment_version.build_id if info else ""
        if info is None or not current:
            return 0
        builds = [it.deployment_version.build_id for it in info.version_summaries]
        ramping = info.routing_config.ramping_deployment_version.build_id
        moved = 0
        for build in islice(sorted({*builds} - {current, ramping}), MAX_MOVED):
            moved += await self._signal(build, current, MAX_MOVED - moved)
        return moved

    async def _info(self) -> WorkerDeploymentInfo | None:
        """The builds; None if there are none."""
        request = DescribeWorkerDeploymentRequest(
            namespace=self._client.namespace, deployment_name=self._deployment
        )
        describe = self._client.workflow_service.describe_worker_deployment
        try:
            return (await describe(request, timeout=_TIMEOUT)).worker_deployment_info
        except RPCError as error:
            if error.status in _GONE:
                return None
            raise

    async def _signal(self, build: str, current: str, limit: int) -> int:
        query = (
            f"WorkflowType = '{RUN_WORKFLOW}' AND ExecutionStatus = 'Running' "
            f"AND {SEARCH_STATUS} = '{RunStatus.IDLE.value}' "
            f"AND TemporalWorkerDeploymentVersion = '{self._deployment}:{build}'"
        )
        signalled = 0
        listed = self._client.list_workflows(query, limit=limit or 1, rpc_timeout=_TIMEOUT)
        async for run in listed:
            request = SignalWorkflowExecutionRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id),
                signal_name=MOVE_SIGNAL,
                identity=self._client.identity,
                request_id=f"move to {self._deployment}:{current}",
            )
            try:
                await self._client.workflow_service.signal_workflow_execution(
                    request, timeout=_TIMEOUT
                )
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended or moved
                    raise
            signalled += 1
        return signalled
