"""Builds of the workers, as versions of a Worker Deployment: a thin layer over Temporal's own."""

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
"""Between two tries while workers are awaited."""
BUSY_S = 5.0
"""How long Temporal is asked again while it is busy with the same deployment."""
NOBODY = "nobody"
_NO_ANSWER = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}
_BUSY = {RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.ABORTED}
_T = TypeVar("_T")


class DeployRefused(Exception):
    """It could not be done; the message is one line and says what to do."""


class WorkerCheck(NamedTuple):
    """How long a build's workers have to come, and whether all of them have to."""

    wait_s: float
    partial: bool = False
    """True: some kinds of work may lack workers of the build; others' workers take them then."""


class Row(NamedTuple):
    """A build, as the status shows it."""

    build: str
    new_runs: str
    state: str
    open_runs: str
    workers: str


class Deployment:
    """The builds of one deployment.

    Every method raises `DeployRefused` if Temporal did not answer or refused; then nothing has
    changed. What changes the routing may be repeated.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._service = client.workflow_service
        self._name = name

    async def set_current(self, build_id: str, check: WorkerCheck) -> None:
        """Let new runs go to that build."""
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
        """Let that share of new runs go to that build, the rest to the current one; 0 ends it."""
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
        """The builds as lines of a table, the newest first, and runs without a build."""
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
            DeployRefused: it is none of this deployment, or the current one itself.
        """
        info = await self._info()
        builds = sorted(it.deployment_version.build_id for it in info.version_summaries)
        if build_id not in builds:
            raise DeployRefused(
                f"no build {build_id!r} in deployment {self._name!r}: there are {', '.join(builds)}"
            )
        if info.routing_config.current_deployment_version.build_id == build_id:
            raise DeployRefused(
                f"build {build_id!r} is current: it gets what no other build does, see set-current"
            )
        return info.routing_config.ramping_deployment_version.build_id == build_id

    async def _await_workers(self, build_id: str, check: WorkerCheck) -> None:
        """Return once workers of that build have come."""
        until = time.monotonic() + check.wait_s
        while missing := await self._missing_work(build_id):
            if len(missing) < len(Work) and check.partial:
                return
            if time.monotonic() >= until:
                raise _no_workers(build_id, missing, self._name)
            await asyncio.sleep(AGAIN_S)

    async def _missing_work(self, build_id: str) -> list[str]:
        """Kinds of work that no worker of that build asks for.

        Temporal has to know the build, too, to let runs go to it, and does so a moment after it
        has its workers' first questions.
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
        """Kinds of work by the build whose workers ask for it, those without a build as ``.

        A worker that was killed counts for five minutes more.
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
        """How many runs are open that this build began, or that none has begun."""
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
        """Temporal's answer; asked again for a moment where it is busy with the same."""
        until = time.monotonic() + BUSY_S
        while True:
            try:
                return await call()
            except RPCError as error:
                if error.status not in _BUSY or time.monotonic() >= until:
                    raise self._refused(error, build_id) from error
            await asyncio.sleep(AGAIN_S)

    def _refused(self, error: RPCError, build_id: str) -> DeployRefused:
        """Temporal's word in ours."""
        if is_namespace_missing(error):
            return DeployRefused(missing_namespace(self._client.namespace))
        if error.status is RPCStatusCode.NOT_FOUND:
            return _no_workers(build_id, [], self._name)
        if error.status is RPCStatusCode.UNIMPLEMENTED:
            return DeployRefused("this Temporal has no Worker Deployments: it needs 1.29 or newer")
        if error.status in _NO_ANSWER:
            return DeployRefused("Temporal did not answer in time; try again")
        return DeployRefused(f"Temporal refused ({error.status.name}): {error.message}")


def _no_workers(build_id: str, missing: list[str], deployment: str) -> DeployRefused:
    """Workers of the build are missing, all of them or those of some kinds of work."""
    which, takes, way_out = "any build", "", ""
    if build_id:
        which = f"build {build_id!r}"
    if 0 < len(missing) < len(Work):
        takes, way_out = f" takes {', '.join(missing)}", ", or say --partial"
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
    """The share of new runs that the build gets."""
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
