"""`relayline keyring`: makes keys of what Temporal stores, and says which ones are in use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.exit import Failure, expecting

if TYPE_CHECKING:
    from relayline.console.key_use import KeyUse
    from relayline.journal.tenants.tenant_keys import TenantKey
    from relayline.runtime.payloads.ring import KeyRing

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick


class KeyringCommands:
    """The commands; they exit with 1 and one line if they can't do their work."""

    def __init__(
        self,
        settle_address: Callable[[], None],
        keyring: Callable[[], KeyRing],
        tenant_keys: Callable[[], Awaitable[Sequence[TenantKey]]],
    ) -> None:
        """Create the commands.

        Args:
            settle_address: Called before a request to Temporal; sets its address if none is set.
            keyring: The keys that are set.
            tenant_keys: Gives the keys of tenants; none where there is no journal yet.
        """
        self._settle_address = settle_address
        self._keyring = keyring
        self._tenant_keys = tenant_keys

    def register(self, app: typer.Typer) -> typer.Typer:
        """Add them to a command line; returns their group."""
        what = "Keys that encrypt what Temporal stores, and what the journal stores of tenants."
        group = typer.Typer(help=what, no_args_is_help=True)
        for command in (self.new, self.check):
            group.command()(command)
        app.add_typer(group, name="keyring")
        return group

    def new(
        self,
        key_id: Annotated[
            str | None,
            typer.Argument(metavar="ID", help="The key's name.", show_default="of today"),
        ] = None,
    ) -> None:
        """Print a new key as `ID:KEY`, for RELAYLINE_PAYLOAD_KEYS; it is kept nowhere."""
        from relayline.runtime.payloads.ring import BadKeys, new_key

        with expecting(BadKeys):
            typer.echo(new_key(key_id or "").entry())

    def check(self) -> None:
        """Say which keys are set, and which ones open runs, schedules and tenants need.

        Exits with 1 if one that is needed is not set. Runs that have ended are not looked at.
        """
        from temporalio.service import RPCError

        from relayline.console.key_use import key_use, wrapped_by
        from relayline.journal.port import JournalUnavailable
        from relayline.runtime.temporal import TemporalUnreachable

        ring = self._keyring()
        self._settle_address()

        async def use() -> dict[str, KeyUse]:
            return wrapped_by(await self._tenant_keys(), await key_use())

        with expecting(TemporalUnreachable, JournalUnavailable):
            try:
                used = asyncio.run(use())
            except RPCError as error:
                raise Failure(f"Temporal did not answer: {error.status.name}, try again") from error
        for number, key_id in enumerate(ring.ids):
            role = "encrypts and decrypts" if number == 0 else "decrypts"
            typer.echo(f"{key_id}: {role}; {used.pop(key_id, None) or 'not in use'}")
        if plain := used.pop("", None):
            typer.echo(f"not encrypted: {plain}")
        if used:
            missing = ", ".join(f"{key_id} ({of_key})" for key_id, of_key in sorted(used.items()))
            raise Failure(f"keys that are not set but in use: {missing}")
