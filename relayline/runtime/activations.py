"""Where activations of workflows run: in the event loop where that is safe, else in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from typing import Any, TypeVar

import temporalio.bridge.worker
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter
from temporalio.worker._command_aware_visitor import CommandAwarePayloadVisitor

from relayline.runtime.payloads.found import key_id_of
from relayline.runtime.payloads.ring import UnknownPayloadKey

T = TypeVar("T")
FRESH_EVENTS = 3
"""History of a run whose first task nobody has tried before: started, scheduled, begun."""
MAX_BYTES = 64 * 1024
"""A larger activation may take long to decode."""


class Activations(ThreadPoolExecutor):
    """The executor of workflow tasks of one worker. For one event loop.

    A step of a run takes about a millisecond, less than the hops to a thread and back take with
    other threads around. So the steps of a run that has begun on this worker run in the event loop.
    Replays, which may take seconds, have threads. So have runs that began elsewhere or whose first
    task has failed: if code of a workflow ever blocks, it holds up one worker, and on the next one
    the SDK notices that it does not yield.
    """

    def __init__(self, max_workers: int) -> None:
        super().__init__(max_workers, thread_name_prefix="activations")
        self._begun_here: set[str] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run the activation, in the calling event loop or in a thread."""
        [act] = args
        if not self._is_quick(act):
            return super().submit(fn, act, **kwargs)
        future: Future[T] = Future()
        loop = asyncio.get_running_loop()
        # outside of the calling task: its loop is another than that of the workflow's tasks
        loop.call_soon(_activate, loop, future, fn, act, context=Context())
        return future

    def _is_quick(self, act: WorkflowActivation) -> bool:
        if any(job.HasField("remove_from_cache") for job in act.jobs):
            begun_here = act.run_id in self._begun_here
            self._begun_here.discard(act.run_id)
            return begun_here
        if any(job.HasField("initialize_workflow") for job in act.jobs) and (
            act.history_length <= FRESH_EVENTS
        ):
            self._begun_here.add(act.run_id)
        quick = act.run_id in self._begun_here and not act.is_replaying
        return quick and act.ByteSize() <= MAX_BYTES


def _activate(
    loop: asyncio.AbstractEventLoop,
    future: Future[T],
    fn: Callable[[WorkflowActivation], T],
    act: WorkflowActivation,
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(fn(act))
    except BaseException as error:  # noqa: BLE001  as a thread of the executor does
        future.set_exception(error)
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001  a workflow is a loop of its own and has left


_Visit = Callable[..., Awaitable[Any]]
_Walk = Callable[..., Awaitable[None]]
_ours: set[_Visit] = set()


def skip_idle_visits() -> None:
    """Leave out the visits of payloads in this process that would change nothing.

    That is all of them where the data converter has no codec and no external storage, and two of
    three where it has a codec alone. A payload that refers to an external storage is then refused
    when it is decoded, as one of an unknown encoding. Safe to repeat.
    """
    for name, walk in (("decode_activation", _decoded), ("encode_completion", _encoded)):
        visit = getattr(temporalio.bridge.worker, name)
        if visit not in _ours:
            setattr(temporalio.bridge.worker, name, _lean(visit, walk))


def _lean(visit: _Visit, walk: _Walk) -> _Visit:
    nothing = temporalio.converter._extstore.StorageOperationMetrics  # noqa: SLF001

    async def visited(message: object, data_converter: DataConverter, **options: Any) -> Any:
        if data_converter.external_storage is not None:
            return await visit(message, data_converter, **options)
        await walk(message, data_converter, **options)
        return nothing()

    _ours.add(visited)
    return visited


async def _decoded(
    act: WorkflowActivation, converter: DataConverter, *, decode_headers: bool, **_: object
) -> None:
    if converter.payload_codec is None:
        _check_signals(act)
    else:
        await _walked(act, converter._decode_payload_sequence, decode_headers)  # noqa: SLF001


async def _encoded(
    done: WorkflowActivationCompletion,
    converter: DataConverter,
    *,
    encode_headers: bool,
    **_: object,
) -> None:
    if converter.payload_codec is not None:
        await _walked(done, converter._encode_payload_sequence, encode_headers)  # noqa: SLF001


async def _walked(
    message: WorkflowActivation | WorkflowActivationCompletion,
    change: Callable[[Sequence[Payload]], Awaitable[list[Payload]]],
    headers: bool,
) -> None:
    walker = CommandAwarePayloadVisitor(skip_search_attributes=True, skip_headers=not headers)
    await walker.visit(temporalio.bridge.worker._Visitor(change), message)  # noqa: SLF001


def _check_signals(act: WorkflowActivation) -> None:
    """Check that no signal is encrypted: the run would refuse it as one that says nothing.

    Raises:
        UnknownPayloadKey: one is; the task is retried until a worker has the key.
    """
    for job in act.jobs:
        if job.HasField("signal_workflow"):
            for payload in job.signal_workflow.input:
                if key_id := key_id_of(payload):
                    raise UnknownPayloadKey(key_id)
