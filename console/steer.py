"""`relayline pause`, `resume` and `cancel`: sends a command and says what became of it."""

from __future__ import annotations

from console.client import ApiClient
from contracts.commands import CommandKind

WAIT_S = 30
"""For the outcome; the most that the API waits."""


class CommandRefused(Exception):
    """The run refused the command; the message has its reason."""


async def steer(client: ApiClient, run_id: str, kind: CommandKind, reason: str = "") -> str:
    """Send the command and wait for its outcome; a line for people.

    Raises:
        CommandRefused: the run refused it.
        ApiError: it was not accepted.
    """
    command_id = await client.command(run_id, kind, reason=reason)
    view = await client.outcome(run_id, command_id, wait_s=WAIT_S)
    match view.state:
        case "applied":
            return f"{kind.value} applied at step {view.step or 0}: {view.applied}"
        case "refused":
            raise CommandRefused(f"{kind.value} was refused: {view.reason}")
        case _:
            return f"{kind.value} accepted; the run has not come to act on it in {WAIT_S} s"
