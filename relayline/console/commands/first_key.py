"""`relayline key first`: what the first start of a deployment needs, made once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.exit import Failure, expecting

if TYPE_CHECKING:
    from relayline.console.commands.key import KeyStore
    from relayline.journal.access.issuing import IssuedKey

# ruff: noqa: PLC0415  the command imports what it needs itself: `--help` is quick

_BY = "relayline key first"
_NAME = "first"


class FirstKeyCommand:
    """The command; it exits with 1 and one line if it can't do its work."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[KeyStore]]) -> None:
        """Create the command.

        Args:
            opened: The keys, for as long as it needs them, and a secret to hash them with.
        """
        self._opened = opened

    def register(self, group: typer.Typer) -> None:
        """Add it to the commands for keys."""
        group.command()(self.first)

    def first(
        self,
        to: Annotated[
            Path, typer.Option("--to", metavar="FILE", help="Write it into this file (mode 600).")
        ],
    ) -> None:
        """Make the first key, which may do everything, unless there is one; for a first start.

        Makes the file that RELAYLINE_SECRET_FILE names, too. Safe to run at every start, one at a
        time.
        """
        from relayline.journal.access.issuing import NoSecret
        from relayline.journal.port import JournalUnavailable

        with expecting(JournalUnavailable, NoSecret):
            made = asyncio.run(self._made(to))
        typer.echo(f"{made.stored.key_id} is in {to}" if made else "there is a key: none is made")

    async def _made(self, to: Path) -> IssuedKey | None:
        from relayline.contracts.principals import Scope
        from relayline.contracts.runs import DEFAULT_TENANT
        from relayline.journal.access.issuing import KeyRequest

        asked = KeyRequest(DEFAULT_TENANT, _NAME, frozenset(Scope))
        async with self._opened() as store:
            made = await store.issuer.first(asked, _BY, lambda text: _keep(to, text))
            if made:
                await store.note_created(made.stored, asked)
        return made


def _keep(path: Path, text: str) -> None:
    """Write the file whole, for this user alone; one that is there has no key that holds."""
    from relayline.runtime.secret import write_private

    try:
        write_private(path, text)
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}") from error
