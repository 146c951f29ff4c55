"""A run's Temporal history: fetched from Temporal, read from a file, replayed against the code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from google.protobuf.json_format import ParseError
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Interceptor, Replayer

from relayline.runtime.build import code_id
from relayline.runtime.payloads.converter import PLAIN, converter_for
from relayline.runtime.payloads.found import key_id_of, key_ids_in
from relayline.runtime.payloads.ring import NO_KEYS, KeyRing
from relayline.runtime.temporal import configured_namespace, connect

FETCH_TIMEOUT = timedelta(seconds=30)
_SMALLEST = 3
"""Events before the workflow's code first runs: started, task scheduled, task started."""
_MESSAGE = re.compile(r'message: "((?:[^"\\]|\\.)*)"')
_MESSAGE_CHARS = 1000


class HistoryUnavailable(Exception):
    """The history is missing or can't be read; the message names the run, file or key."""


class WorkflowCode(NamedTuple):
    """The code to replay histories with."""

    workflow: type
    model_activity: str
    """Name of the activity that starts a step."""
    interceptors: Sequence[Interceptor] = ()
    """Those of the workers that matter to the workflow."""


class Divergence(NamedTuple):
    """The first event at which the code does something else."""

    event_id: int
    event: str
    """The event in words."""
    step: int
    """Model calls scheduled before the event."""
    message: str
    """Temporal's error message."""


class Replayed(NamedTuple):
    """The outcome of a replay."""

    events: int
    steps: int
    """Model calls in the history."""
    divergence: Divergence | None = None


async def fetch(run_id: str) -> WorkflowHistory:
    """The run's history, from the configured Temporal; what is encrypted stays so.

    Raises:
        HistoryUnavailable: Temporal does not know the run, or failed.
        TemporalUnreachable: no Temporal answered.
    """
    client = await connect(NO_KEYS)
    try:
        return await client.get_workflow_handle(run_id).fetch_history(rpc_timeout=FETCH_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise HistoryUnavailable(
                f"Temporal knows no run {run_id!r}: check the id; ended runs are deleted after the "
                "namespace's retention"
            ) from error
        raise HistoryUnavailable(
            f"Temporal did not return the history, try again: {error.message}"
        ) from error


def read(path: Path) -> WorkflowHistory:
    """The history in a file, written by `export`, Temporal's CLI or its Web UI.

    Raises:
        HistoryUnavailable: the file can't be read or holds no history.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryUnavailable(f"{path} can't be read: {error}") from error
    try:
        history = WorkflowHistory.from_json(path.stem, text)
    except (ValueError, TypeError, KeyError, AttributeError, ParseError) as error:
        raise HistoryUnavailable(
            f"{path} holds no Temporal history, write one with `relayline export`: {error}"
        ) from error
    if not history.events or not _is_start(history.events[0]):
        raise HistoryUnavailable(
            f"{path} holds no Temporal history, write one with `relayline export`: it has no start"
        )
    started = history.events[0].workflow_execution_started_event_attributes
    return WorkflowHistory(started.workflow_id or path.stem, history.events)


async def replay(history: WorkflowHistory, code: WorkflowCode, ring: KeyRing = NO_KEYS) -> Replayed:
    """Run the workflow's code against the history; needs no server.

    A binary search finds the divergence: the last event of the shortest prefix of the history that
    does not replay. An encrypted history must be of the configured namespace.

    Raises:
        HistoryUnavailable: it can't be decrypted; the message names the key or the namespace.
    """
    replayer = Replayer(
        workflows=[code.workflow],
        interceptors=code.interceptors,
        data_converter=await _converter(history, ring),
        build_id=code_id(),
        runtime=Runtime(telemetry=TelemetryConfig(logging=None)),
    )
    count = len(history.events)
    steps = _steps(history.events, code)
    failure = await _failure(replayer, history, count) if count >= _SMALLEST else None
    if failure is None:
        return Replayed(count, steps)
    low, high = _SMALLEST, count
    while low < high:
        middle = (low + high) // 2
        earlier = await _failure(replayer, history, middle)
        if earlier is None:
            low = middle + 1
        else:
            failure, high = earlier, middle
    event = history.events[high - 1]
    before = _steps(history.events[: high - 1], code)
    return Replayed(
        count, steps, Divergence(event.event_id, _words(event), before, _message(failure))
    )


async def _converter(history: WorkflowHistory, ring: KeyRing) -> DataConverter:
    """The one that can read the history."""
    used = {key_id for event in history.events for key_id in key_ids_in(event)}
    if not used:
        return PLAIN
    if missing := sorted(used.difference(ring.ids)):
        raise HistoryUnavailable(
            f"the history of {history.workflow_id} is encrypted with the key {missing[0]!r}: list "
            "it in RELAYLINE_PAYLOAD_KEYS"
        )
    namespace = configured_namespace()
    converter = converter_for(ring, namespace)
    started = history.events[0].workflow_execution_started_event_attributes
    if converter.payload_codec:
        await converter.payload_codec.decode_wrapper(
            read := Payloads(payloads=started.input.payloads)
        )
        if any(map(key_id_of, read.payloads)):
            raise HistoryUnavailable(
                f"the history of {history.workflow_id} can't be decrypted: it is not of the "
                f"namespace {namespace!r}, set TEMPORAL_NAMESPACE; or it was changed"
            )
    return converter


async def _failure(replayer: Replayer, history: WorkflowHistory, count: int) -> Exception | None:
    """Why the first `count` events do not replay; None if they do."""
    beginning = WorkflowHistory(history.workflow_id, history.events[:count])
    result = await replayer.replay_workflow(beginning, raise_on_replay_failure=False)
    return result.replay_failure


def _steps(events: Sequence[HistoryEvent], code: WorkflowCode) -> int:
    """Model calls scheduled; only the scheduling of an activity names its type."""
    names = (event.activity_task_scheduled_event_attributes.activity_type.name for event in events)
    return sum(name == code.model_activity for name in names)


def _is_start(event: HistoryEvent) -> bool:
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED


def _words(event: HistoryEvent) -> str:
    """`activity task scheduled (call_tool)`."""
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    activity = event.activity_task_scheduled_event_attributes.activity_type.name
    return name.replace("_", " ").lower() + (f" ({activity})" if activity else "")


def _message(failure: Exception) -> str:
    """Temporal's message without the debugging output around it."""
    found = _MESSAGE.search(str(failure))
    return (found[1] if found else str(failure))[:_MESSAGE_CHARS]
