"""Refuses commands before they fill a run's history, at which Temporal would end the run."""

from __future__ import annotations

from relayline.api.errors import TooManyCommands
from relayline.api.temporal.execution import Execution
from relayline.contracts.commands import CommandKind

MAX_EVENTS = 20_000
"""Of an execution's history: above this, a run accepts only the commands in `_RESERVE`. Temporal
ends an execution at 51,200; between two steps a run continues as new long before this."""
MAX_BYTES = 20 * 1024 * 1024
"""Likewise; Temporal ends it at 50 MiB."""
_RESERVE = frozenset(
    {
        CommandKind.RESUME,
        CommandKind.CANCEL,
        CommandKind.DECIDE,
        CommandKind.ANSWER,
        CommandKind.CLOSE,
    }
)
"""A run may be waiting for these, so they have twice the limit."""


def check_capacity(kind: CommandKind, execution: Execution) -> None:
    """Check that the run's history has room for a command of that kind.

    Raises:
        TooManyCommands: it has none until the step is over.
    """
    share = 2 if kind in _RESERVE else 1
    events, size = execution.history_events, execution.history_bytes
    if events < MAX_EVENTS * share and size < MAX_BYTES * share:
        return
    raise TooManyCommands(
        f"{execution.run_id} takes no {kind.value} before its step is over: commands have filled "
        f"its history with {events} events and {size} bytes",
        run_id=execution.run_id,
    )
