"""Steers a run: sends a command and tells its outcome; finds what waits for a person."""

from __future__ import annotations

import getpass
from contextlib import suppress
from typing import Literal

from relayline.client import AsyncRun
from relayline.contracts.commands import MAX_BY_CHARS, AnyCommand, Decide
from relayline.contracts.runs import Waiting
from relayline.projections.words import refused

WAIT_S = 30
"""How long to wait for the outcome; the API's maximum."""
_NAMES = {"approval": "approval", "input": "answer"}


class CommandRefused(Exception):
    """The run refused the command; the message has its reason."""


class NotOneOpen(Exception):
    """Nothing waits for a person, or several things do; the message lists them."""


async def steer(run: AsyncRun, command: AnyCommand) -> str:
    """Send the command and wait for its outcome; a line for people.

    Raises:
        CommandRefused: the run refused it.
        RelaylineError: the API did not accept it.
    """
    name = command.decision if isinstance(command, Decide) else command.kind.value
    receipt = await run.send(command)
    view = await run.command(receipt.command_id, wait_s=WAIT_S)
    match view.state:
        case "applied":
            return f"{name} applied at step {view.step or 0}: {view.applied}"
        case "refused":
            raise CommandRefused(refused(name, view.reason))
        case _:
            return f"{name} accepted; the run has not acted on it within {WAIT_S} s"


async def only_open(run: AsyncRun, kind: Literal["approval", "input"]) -> str:
    """The id of the one open approval or question.

    Raises:
        NotOneOpen: none is open, or several are.
        RelaylineError: the run is unknown, or the API refuses.
    """
    progress = await run.progress()
    found = [waiting for waiting in progress.waiting_for if waiting.kind == kind and waiting.id]
    if len(found) == 1 and found[0].id:
        return found[0].id
    if found:
        listed = "; ".join(map(_words, found))
        raise NotOneOpen(f"{run.id} waits for more than one {_NAMES[kind]}, name one: {listed}")
    others = "; ".join(map(_words, progress.waiting_for)) or "nothing"
    status = progress.status.value
    raise NotOneOpen(f"{run.id} waits for no {_NAMES[kind]}: it is {status}, waits for {others}")


def _words(waiting: Waiting) -> str:
    return " ".join(
        filter(None, (waiting.id or waiting.kind, waiting.what and f"({waiting.what})"))
    )


def login() -> str:
    """The login name of the person at this terminal; empty if the system does not know it."""
    with suppress(KeyError, OSError, ImportError):
        return getpass.getuser()[:MAX_BY_CHARS]
    return ""
