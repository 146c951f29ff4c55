"""Which kinds of work have workers, from Temporal's lists of pollers.

A killed worker stays in these lists for five minutes: they prove that no worker is there, not that
one is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
)
from temporalio.client import Client

from relayline.api.temporal.deadline import with_deadline
from relayline.catalog.models import WORK_QUEUES
from relayline.contracts.operation.system import WorkerSeen
from relayline.contracts.queues import Work
from relayline.contracts.runs import TASK_QUEUE

DESCRIBE_S = 2.0
_WORKFLOWS = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
_CALLS = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
_BUILDS = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED


class Workers:
    """Asks Temporal for its pollers; every method raises `TemporalUnavailable` if it can't."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def missing(self) -> dict[str, str]:
        """What new runs are missing, by kind of work; empty when each kind has workers."""
        answers = await self._of_each_kind()
        found = {
            queue.work.value: _missing(answer)
            for queue, answer in zip(WORK_QUEUES, answers, strict=True)
        }
        return {work: trouble for work, trouble in found.items() if trouble}

    async def seen(self) -> Sequence[WorkerSeen]:
        """The workers that have asked for work within about five minutes, newest first."""
        found: dict[str, WorkerSeen] = {}
        for queue, answer in zip(WORK_QUEUES, await self._of_each_kind(), strict=True):
            for poller in answer.pollers:
                known = found.get(poller.identity)
                at = poller.last_access_time.ToDatetime(UTC)
                work = {*(known.work if known else ()), queue.work.value}
                found[poller.identity] = WorkerSeen(
                    identity=poller.identity,
                    build=_named_build(poller) or (known.build if known else None),
                    work=tuple(it.value for it in Work if it.value in work),
                    seen_at=max(at, known.seen_at) if known else at,
                )
        return sorted(found.values(), key=lambda worker: worker.seen_at, reverse=True)

    async def current_build(self) -> str:
        """The build that new runs go to; empty if they go to workers without one."""
        answer = await self._describe(TASK_QUEUE, _WORKFLOWS)
        return str(answer.versioning_info.current_deployment_version.build_id)

    async def unserved(self, queues: Iterable[str], build_id: str) -> str | None:
        """One of these task queues of calls that no worker serves, named; None if there is none.

        Args:
            queues: Their names.
            build_id: The build that the workers must have; empty: any.
        """
        for name in sorted(queues):
            pollers = (await self._describe(name, _CALLS)).pollers
            if not any(_takes(poller, build_id) for poller in pollers):
                work = Work.TOOLS.value if name == TASK_QUEUE else name
                return f"{work} of build {build_id}" if build_id else work
        return None

    async def _of_each_kind(self) -> Sequence[DescribeTaskQueueResponse]:
        """The answer for each of `WORK_QUEUES`."""
        return await asyncio.gather(
            *(
                self._describe(queue.name, _WORKFLOWS if queue.of_workflows else _CALLS)
                for queue in WORK_QUEUES
            )
        )

    async def _describe(
        self, name: str, kind: TaskQueueType.ValueType
    ) -> DescribeTaskQueueResponse:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=kind,
        )
        timeout = timedelta(seconds=DESCRIBE_S)
        call = self._client.workflow_service.describe_task_queue(request, timeout=timeout)
        return await with_deadline(DESCRIBE_S, call)


def _missing(answer: DescribeTaskQueueResponse) -> str | None:
    """What a new run would be missing on this queue."""
    if not answer.pollers:
        return "no worker"
    current = answer.versioning_info.current_deployment_version.build_id
    builds = {_build(poller) for poller in answer.pollers}
    if current in builds:
        return None
    if current:
        return f"no worker of the current build {current}"
    named = ", ".join(sorted(builds))
    return f"no build is current, workers have {named}: `relayline deploy set-current BUILD_ID`"


def _takes(poller: PollerInfo, build_id: str) -> bool:
    """True when the worker takes calls of runs of that build.

    A worker without a build does if the build never had workers for that queue.
    """
    return not build_id or _build(poller) in {build_id, ""}


def _named_build(poller: PollerInfo) -> str:
    """What the worker tells of its code, whether Temporal chooses by it or not."""
    told = poller.deployment_options.build_id or poller.worker_version_capabilities.build_id
    return str(told)


def _build(poller: PollerInfo) -> str:
    """The worker's build; empty if it has none."""
    options = poller.deployment_options
    return options.build_id if options.worker_versioning_mode == _BUILDS else ""
