"""`relayline doctor`: what the configured Temporal lacks, and what that means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import typer

from relayline.console.exit import Failure, expecting

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

FAIR = "fairness: yes, tasks of different fairness keys take turns"
UNFAIR = (
    "fairness: no, this Temporal does not heed fairness keys, so a flood of one key or tenant "
    "delays all others; priorities work. Set matching.enableFairness: true and "
    "matching.numTaskqueueWritePartitions: 1 in its dynamic configuration"
)


class DoctorCommand:
    """The command; exits with 1 if runs can't work, or nothing can be said."""

    def __init__(self, retention: Callable[[], timedelta | None]) -> None:
        """Create the command.

        Args:
            retention: Settles Temporal's address and gives the journal's retention.
        """
        self._retention = retention

    def register(self, app: typer.Typer) -> None:
        """Add it to a command line."""
        app.command()(self.doctor)

    def doctor(self) -> None:
        """Say what the configured Temporal lacks; takes some seconds."""
        from relayline.runtime.namespace import NamespaceUnfit
        from relayline.runtime.temporal import TemporalUnreachable

        retention = self._retention()
        with expecting(NamespaceUnfit, TemporalUnreachable):
            asyncio.run(_examine(retention))


async def _examine(retention: timedelta | None) -> None:
    from temporalio.service import RPCError

    from relayline.console.fairness import heeds_fairness
    from relayline.runtime.namespace import warnings_of_namespace
    from relayline.runtime.payloads.ring import NO_KEYS
    from relayline.runtime.temporal import connect

    client = await connect(NO_KEYS)
    warnings = await warnings_of_namespace(client, retention)
    for line in warnings or [f"namespace {client.namespace!r}: has what runs need"]:
        typer.echo(line)
    try:
        typer.echo(FAIR if await heeds_fairness(client) else UNFAIR)
    except RPCError as error:
        raise Failure(f"fairness: unknown, Temporal did not answer: {error.status.name}") from error
    except TimeoutError as error:
        raise Failure("fairness: unknown, Temporal gave out no tasks in time") from error
