"""Builds of the workers: the versions of a Worker Deployment, through Temporal's API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from temporalio.api.deployment.v1 import WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.catalog.models import WORK_QUEUES, WorkQueue
from relayline.contracts.housekeeping import RUN_WORKFLOW
from relayline.contracts.queues import Work
from relayline.runtime.namespace import is_namespace_missing, missing_namespace

CALL = timedelta(seconds=10)
AGAIN_S = 0.25
"""Seconds between two requests while we wait."""
BUSY_S = 5.0
"""Seconds for which a request is retried while Temporal is busy with the deployment."""
NOBODY = "nobody"
_NO_ANSWER = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}
_BUSY = {RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.ABORTED}
_T = TypeVar("_T")


class DeployRefused(Exception):
    """Temporal did not answer or refused; the message is one line and says what to do."""


class WorkerCheck(NamedTuple):
    """How to check for a build's workers before runs go to it."""

    wait_s: float
    """Seconds to wait for the workers."""
    partial: bool = False
    """Whether kinds of work may lack workers of the build; workers of other builds take those."""


class Row(NamedTuple):
    """A build in the table of `status`."""

    build: str
    new_runs: str
    state: str
    open_runs: str
    workers: str


class Deployment:
    """The builds of one deployment.

    Every method raises `DeployRefused` if Temporal did not answer or refused; then nothing has
    changed. Every method is safe to repeat.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._service = client.workflow_service
        self._name = name

    async def set_current(self, build_id: str, check: WorkerCheck) -> None:
        """Send new runs to the build."""
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self._client.namespace,
            deployment_name=self._name,
            build_id=build_id,
            identity=self._client.identity,
        )
        await self._await_workers(build_id, check)
        change = self._service.set_worker_deployment_current_version
        await self._call(lambda: change(request, timeout=CALL), build_id)

    async def ramp(self, build_id: str, percent: float, check: WorkerCheck) -> None:
        """Send that share of new runs to the build, the rest to the current one; 0 ends it."""
        if percent:
            await self._await_workers(build_id, check)
        elif not await self._is_ramping(build_id):
            return
        request = SetWorkerDeploymentRampingVersionRequest(
            namespace=self._client.namespace,
            deployment_name=self._name,
            build_id=build_id if percent else "",
            percentage=percent,
            identity=self._client.identity,
        )
        change = self._service.set_worker_deployment_ramping_version
        await self._call(lambda: change(request, timeout=CALL), build_id)

    async def status(self) -> list[str]:
        """A table of the builds, newest first, and of the runs without a build; one line each."""
        info = await self._info()
        polling = await self._polling()
        rows = [Row("BUILD", "NEW RUNS", "STATE", "OPEN RUNS", "WORKERS NOW")]
        for version in sorted(info.version_summaries, key=lambda it: -it.create_time.ToSeconds()):
            build = version.deployment_version.build_id
            work = ", ".join(polling.get(build, [])) or NOBODY
            state = _state(version.status)
            rows.append(Row(build, _share(info, build), state, await self._open_runs(build), work))
        without = await self._open_runs(None)
        work = ", ".join(polling.get("", [])) or NOBODY
        rows.append(Row("(none)", _share(info, ""), "", without, work))
        widths = [max(len(row[column]) for row in rows) for column in range(len(Row._fields))]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]

    async def _is_ramping(self, build_id: str) -> bool:
        """Whether the build gets a share of new runs beside the current one.

        Raises:
            DeployRefused: the deployment has no such build, or it is the current one.
        """
        info = await self._info()
        builds = sorted(it.deployment_version.build_id for it in info.version_summaries)
        if build_id not in builds:
            raise DeployRefused(
                f"no build {build_id!r} in deployment {self._name!r}: use one of "
                f"{', '.join(builds)}"
            )
        if info.routing_config.current_deployment_version.build_id == build_id:
            raise DeployRefused(
                f"build {build_id!r} is current and takes the rest of the new runs: make another "
                "build current with set-current"
            )
        return info.routing_config.ramping_deployment_version.build_id == build_id

    async def _await_workers(self, build_id: str, check: WorkerCheck) -> None:
        """Return once workers of the build are there.

        Raises:
            DeployRefused: they were not there in time.
        """
        until = time.monotonic() + check.wait_s
        while missing := await self._missing_work(build_id):
            if len(missing) < len(Work) and check.partial:
                return
            if time.monotonic() >= until:
                raise _no_workers(build_id, missing, self._name)
            await asyncio.sleep(AGAIN_S)

    async def _missing_work(self, build_id: str) -> list[str]:
        """Kinds of work that no worker of the build polls for.

        Temporal must know the build, too, before runs can go to it; it does so a moment after the
        workers' first polls.
        """
        version = WorkerDeploymentVersion(deployment_name=self._name, build_id=build_id)
        request = DescribeWorkerDeploymentVersionRequest(
            namespace=self._client.namespace, deployment_version=version
        )
        describe = self._service.describe_worker_deployment_version
        try:
            found = await describe(request, timeout=CALL)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or is_namespace_missing(error):
                raise self._refused(error, build_id) from error
            return [work.value for work in Work]
        known = {(queue.name, queue.type) for queue in found.version_task_queues}
        asking = (await self._polling()).get(build_id, [])
        return [
            it.work.value
            for it in WORK_QUEUES
            if it.work.value not in asking or (it.name, _type(it)) not in known
        ]

    async def _polling(self) -> dict[str, list[str]]:
        """Kinds of work that workers poll for, by build; workers without a build have the key ``.

        Temporal counts a killed worker for five more minutes.
        """
        found: dict[str, list[str]] = {}
        for queue in WORK_QUEUES:
            request = DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=queue.name),
                task_queue_type=_type(queue),
            )
            describe = partial(self._service.describe_task_queue, request, timeout=CALL)
            answer = await self._call(describe)
            given = [it.deployment_options for it in answer.pollers]
            for build in {it.build_id for it in given if it.deployment_name in {self._name, ""}}:
                found.setdefault(build, []).append(queue.work.value)
        return found

    async def _open_runs(self, build_id: str | None) -> str:
        """The number of open runs of the build, or, for None, of those without a build."""
        which = f"= '{self._name}:{build_id}'" if build_id else "IS NULL"
        query = (
            f"WorkflowType = '{RUN_WORKFLOW}' AND ExecutionStatus = 'Running' "
            f"AND TemporalWorkerDeploymentVersion {which}"
        )
        count = partial(self._client.count_workflows, query, rpc_timeout=CALL)
        counted = await self._call(count)
        return str(counted.count)

    async def _info(self) -> WorkerDeploymentInfo:
        request = DescribeWorkerDeploymentRequest(
            namespace=self._client.namespace, deployment_name=self._name
        )
        describe = partial(self._service.describe_worker_deployment, request, timeout=CALL)
        found = await self._call(describe)
        return found.worker_deployment_info

    async def _call(self, call: Callable[[], Awaitable[_T]], build_id: str = "") -> _T:
        """Temporal's answer; retried for a moment while Temporal is busy with the deployment."""
        until = time.monotonic() + BUSY_S
        while True:
            try:
                return await call()
            except RPCError as error:
                if error.status not in _BUSY or time.monotonic() >= until:
                    raise self._refused(error, build_id) from error
            await asyncio.sleep(AGAIN_S)

    def _refused(self, error: RPCError, build_id: str) -> DeployRefused:
        """Temporal's error as ours."""
        if is_namespace_missing(error):
            return DeployRefused(missing_namespace(self._client.namespace))
        if error.status is RPCStatusCode.NOT_FOUND:
            return _no_workers(build_id, [], self._name)
        if error.status is RPCStatusCode.UNIMPLEMENTED:
            return DeployRefused(
                "this Temporal has no Worker Deployments: upgrade its server to 1.29 or newer"
            )
        if error.status in _NO_ANSWER:
            return DeployRefused("Temporal did not answer in time; try again")
        return DeployRefused(f"Temporal refused ({error.status.name}): {error.message}")


def _no_workers(build_id: str, missing: list[str], deployment: str) -> DeployRefused:
    """The error that workers of the build are missing, all or those of some kinds of work."""
    which, takes, way_out = "any build", "", ""
    if build_id:
        which = f"build {build_id!r}"
    if 0 < len(missing) < len(Work):
        takes, way_out = f" takes {', '.join(missing)}", ", or give --partial"
    return DeployRefused(
        f"no worker of {which}{takes} in deployment {deployment!r}: start workers with "
        f"RELAYLINE_BUILD_ID={build_id or 'ID'}{way_out}"
    )


def _type(queue: WorkQueue) -> TaskQueueType.ValueType:
    kinds = TaskQueueType
    return kinds.TASK_QUEUE_TYPE_WORKFLOW if queue.of_workflows else kinds.TASK_QUEUE_TYPE_ACTIVITY


def _state(status: WorkerDeploymentVersionStatus.ValueType) -> str:
    """`current`, `ramping`, `draining`, `drained`, `inactive`."""
    name = WorkerDeploymentVersionStatus.Name(status)
    return name.removeprefix("WORKER_DEPLOYMENT_VERSION_STATUS_").lower()


def _share(info: WorkerDeploymentInfo, build_id: str) -> str:
    """The share of new runs that the build gets, in percent."""
    routing = info.routing_config
    ramping, percent = (
        routing.ramping_deployment_version.build_id,
        routing.ramping_version_percentage,
    )
    if ramping and ramping == build_id:
        return f"{percent:g} %"
    if routing.current_deployment_version.build_id == build_id:
        return f"{100 - percent:g} %"
    return "0 %"
