"""Keeps a flood of commands from filling up a run's history: Temporal would end the run then."""

from __future__ import annotations

from temporalio.service import RPCError, RPCStatusCode

from relayline.api.errors import ApiError
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
_OUT_OF_SIGNALS = "limit for signal events"
"""In what Temporal says to a signal that is one too many for the execution."""


class TooManyCommands(ApiError):
    """The run has had so many commands, or such long ones, in this step that it takes no more."""

    status = 429
    slug = "too-many-commands"
    title = "The run has had too many commands"


def check(kind: CommandKind, execution: Execution) -> None:
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


def check_refusal(run_id: str, error: RPCError) -> None:
    """See that it was not for the number of signals that Temporal has refused one.

    Raises:
        TooManyCommands: it was.
    """
    if error.status is RPCStatusCode.INVALID_ARGUMENT and _OUT_OF_SIGNALS in str(error):
        raise TooManyCommands(
            f"{run_id} takes no command before its step is over: Temporal has counted too many",
            run_id=run_id,
        ) from error
