"""Timeouts and retry policies per kind of activity: the only place they are written.

Attempts are not bounded here. What may fail for good (a provider, a tool) counts its own failures
in the journal, says itself how long to wait, and gives up by itself; what is nobody's fault (a
killed worker) is tried soon, until it works or the run's wall clock ends it.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy

from relayline.contracts.errors import NON_RETRYABLE
from relayline.contracts.runs import ToolSpec

HEARTBEAT_TIMEOUT = timedelta(seconds=2.5)
"""A worker that says nothing for that long has lost its calls to another."""
MODEL_TIMEOUT = timedelta(minutes=30)
"""The longest model call."""
RECORD_TIMEOUT = timedelta(seconds=15)
TOOL_MARGIN = timedelta(seconds=30)
"""On top of a tool's own `timeout_s`: time to stop it and to write down what became of it."""
CANCEL_BOUND = timedelta(seconds=12)
"""How long a call may take to stop; then the run goes on without it."""
RAISE_TIMEOUT = timedelta(days=1)
"""How long a person has to raise a limit that was reached."""
HOUSEKEEPING_TIMEOUT = timedelta(minutes=2)
"""One attempt of a part of a round of housekeeping."""
HOUSEKEEPING_BOUND = timedelta(minutes=5)
"""All attempts of it; less than a round may take, see `relayline/contracts/housekeeping.py`."""

_FINAL = [str(kind) for kind in NON_RETRYABLE]

CALL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=250),
    maximum_interval=timedelta(seconds=1),
    non_retryable_error_types=_FINAL,
)
"""For a worker that dies again and again: with `HEARTBEAT_TIMEOUT` each time within 5 s."""
RECORD_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    maximum_interval=timedelta(seconds=5),
    non_retryable_error_types=_FINAL,
)


def tool_timeout(tool: ToolSpec | None) -> timedelta:
    """How long one attempt of this tool's activity may take."""
    return TOOL_MARGIN + timedelta(seconds=tool.timeout_s if tool else 0)
