"""Timeouts and retry policies of all activities.

Attempts are not bounded here. Model and tool calls count their own failures in the journal, choose
their own backoff and give up by themselves. These policies cover infrastructure failures (a killed
worker) and retry soon, until the call succeeds or the run's time is up.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy

from relayline.contracts.errors import NON_RETRYABLE
from relayline.contracts.runs import ToolSpec

HEARTBEAT_TIMEOUT = timedelta(seconds=60)
"""Without a heartbeat for so long, Temporal gives the call to another worker: the net behind the
workers' beats, for when nobody is left to watch. A call heartbeats at a third of it."""
HOUSEKEEPING_HEARTBEAT = timedelta(seconds=2.5)
"""The same for housekeeping, whose activities no journal tells of."""
MODEL_TIMEOUT = timedelta(minutes=32)
"""The longest model call: half an hour, and the longest wait for a slot of its provider."""
RECORD_TIMEOUT = timedelta(seconds=15)
PAST_TIMEOUT = timedelta(minutes=1)
"""The longest attempt to record the past of a run, which may have thousands of facts."""
TOOL_MARGIN = timedelta(seconds=30)
"""Added to a tool's own `timeout_s`: time to stop it and to record the outcome."""
CANCEL_BOUND = timedelta(seconds=12)
"""How long a cancelled call may take to stop; then the run continues without it."""
CHILD_BOUND = timedelta(seconds=30)
"""The same for a run that the call has started, and those below it."""
RAISE_TIMEOUT = timedelta(days=1)
"""How long a person has to raise a limit."""
HOUSEKEEPING_TIMEOUT = timedelta(minutes=2)
"""The longest attempt of one part of a housekeeping round."""
HOUSEKEEPING_BOUND = timedelta(minutes=5)
"""The longest that all attempts together may take; less than what
`SHIFT_BOUND` leaves beside the rounds."""
TELL_TIMEOUT = timedelta(minutes=2)
"""The longest attempt to tell a receiver what is due; it returns much earlier by itself."""

_FINAL = [str(kind) for kind in NON_RETRYABLE]

CALL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=1),
    maximum_interval=timedelta(seconds=1),
    non_retryable_error_types=_FINAL,
)
"""Even if workers die repeatedly, each retry starts within 1 s of the failure."""
RECORD_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    maximum_interval=timedelta(seconds=5),
    non_retryable_error_types=_FINAL,
)


class _Net:
    """Of this worker. A replay takes no notice of it: it is an option of a command, not one."""

    timeout = HEARTBEAT_TIMEOUT


def use_heartbeat_timeout(timeout: timedelta) -> None:
    """Schedule calls with another heartbeat time-out than `HEARTBEAT_TIMEOUT` in this process."""
    _Net.timeout = timeout


def heartbeat_timeout() -> timedelta:
    """The heartbeat time-out of model and tool calls."""
    return _Net.timeout


def tool_timeout(tool: ToolSpec | None) -> timedelta:
    """The longest that one attempt of this tool's activity may take."""
    return TOOL_MARGIN + timedelta(seconds=tool.timeout_s if tool else 0)
