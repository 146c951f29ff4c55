"""Keeps a flood of commands from filling up a run's history: Temporal would end the run then."""

from __future__ import annotations

from relayline.api.errors import TooManyCommands
from relayline.api.temporal.execution import Execution
from relayline.contracts.commands import CommandKind

MAX_EVENTS = 20_000
"""Of one execution's history, with which a run takes commands of any kind. Temporal ends it at
51,200; between two steps a run goes on in a new execution long before this."""
MAX_BYTES = 20 * 1024 * 1024
"""Likewise; Temporal ends it at 50 MiB."""
_RESERVE = frozenset(
    {CommandKind.RESUME, CommandKind.CANCEL, CommandKind.DECIDE, CommandKind.ANSWER}
)
"""What a run may be waiting for: these are taken up to twice as much."""


def check_capacity(kind: CommandKind, execution: Execution) -> None:
    """See that the run has room for a command of that kind.

    Raises:
        TooManyCommands: it has not, until its step is over.
    """
    share = 2 if kind in _RESERVE else 1
    events, size = execution.history_events, execution.history_bytes
    if events < MAX_EVENTS * share and size < MAX_BYTES * share:
        return
    raise TooManyCommands(
        f"{execution.run_id} takes no {kind.value} before its step is over: commands have brought "
        f"its history to {events} events and {size} bytes",
        run_id=execution.run_id,
    )
