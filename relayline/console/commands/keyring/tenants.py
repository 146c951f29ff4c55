"""`relayline keyring tenant`: keys that seal what the journal stores of tenants."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from relayline.console.exit import Failure, expecting

if TYPE_CHECKING:
    from relayline.journal.access.audit import AuditRow
    from relayline.journal.table import Storage
    from relayline.journal.tenants.tenant_keys import TenantKey

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

_T = TypeVar("_T")
_BY = "relayline keyring"
LOOK_S = 1.0
"""Seconds between two looks at how far an erasure is."""
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="Whose key it is.")]


class TenantKeyCommands:
    """The commands, on the journal itself; they exit with 1 and one line if they fail."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[Storage]]) -> None:
        """Create the commands.

        Args:
            opened: The journal, with the keys that wrap those of tenants.
        """
        self._opened = opened

    def register(self, app: typer.Typer) -> None:
        """Add them to the group `keyring`."""
        what = "Keys that seal what the journal stores of a tenant. Needs the journal, not the API."
        group = typer.Typer(help=what, no_args_is_help=True)
        for command in (self.create, self.list, self.erase):
            group.command()(command)
        app.add_typer(group, name="tenant")

    def create(self, tenant: Tenant) -> None:
        """Make a key for the tenant: what is stored of it from now on is sealed.

        All processes must have the payload keys, and be of a version that knows such keys.
        """
        _check(tenant)

        async def create(storage: Storage) -> TenantKey:
            from relayline.journal.tenants.tenant_keys import EFFECTIVE_S

            key = await storage.tenant_keys.create(tenant, _row("tenant-key.create", tenant))
            await storage.audit.seal(100)
            if key.state.value == "active":
                await asyncio.sleep(EFFECTIVE_S)  # until all processes use it
            return key

        key = self._do(create)
        if key.state.value != "active":
            raise Failure(f"the key of {tenant} was erased: nothing is accepted for that name")
        typer.echo(f"{tenant}: {key.key_id} seals what is stored from now on")

    def list(self) -> None:
        """Show the keys of all tenants, also erased ones."""

        async def keys(storage: Storage) -> tuple[TenantKey, ...]:
            return tuple(await storage.tenant_keys.keys())

        for key in self._do(keys):
            typer.echo(_line(key))

    def erase(
        self,
        tenant: Tenant,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        wait: Annotated[
            bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")
        ] = True,
    ) -> None:
        """Erase the tenant for good: its runs, also open ones, its schedules, and its key last.

        Nothing is accepted for the tenant any more, ever. A worker with `runs` does the work, also
        when this command is stopped; the same command says later how far it is.
        """
        _check(tenant)

        async def erase(storage: Storage) -> bool:
            await _confirm(storage, tenant, yes=yes)
            row = _row("tenant-key.erase", tenant)
            if await storage.tenant_keys.begin_erasing(tenant, row) is None:
                raise Failure(f"{tenant} has no key: `relayline erase` erases runs")
            await storage.audit.seal(100)
            return await _erased(storage, tenant, wait=wait)

        done = self._do(erase)
        typer.echo(f"{tenant} is erased" if done else f"{tenant} is being erased")

    def _do(self, work: Callable[[Storage], Awaitable[_T]]) -> _T:
        from relayline.journal.port import JournalUnavailable
        from relayline.journal.tenants.tenant_keys import NoRingKey

        async def do() -> _T:
            async with self._opened() as storage:
                return await work(storage)

        with expecting(JournalUnavailable, NoRingKey):
            return asyncio.run(do())


async def _confirm(storage: Storage, tenant: str, *, yes: bool) -> None:
    """Return if the person wants it.

    Raises:
        Failure: they do not, or there is nobody to ask.
    """
    from relayline.journal.table import RunFilter

    found = [key for key in await storage.tenant_keys.keys() if key.tenant == tenant]
    if yes or not found or found[0].state.value != "active":
        return
    if not sys.stdin.isatty():
        raise Failure("nothing was erased: pass --yes to erase without a question")
    runs = sum((await storage.count_runs(tenant, RunFilter())).values())
    if not typer.confirm(f"Erase {tenant} with {runs} runs for good?"):
        raise Failure("nothing was erased")


async def _erased(storage: Storage, tenant: str, *, wait: bool) -> bool:
    """True once nothing is left of the tenant; without `wait`, whether it is so now."""
    from relayline.journal.table import RunFilter

    told: int | None = None
    while True:
        keys = {key.tenant: key for key in await storage.tenant_keys.keys()}
        if keys[tenant].state.value == "erased" or not wait:
            return keys[tenant].state.value == "erased"
        left = sum((await storage.count_runs(tenant, RunFilter())).values())
        if left != told:
            typer.echo(f"{left} runs left in the journal" if left else "Temporal's part", err=True)
        told = left
        await asyncio.sleep(LOOK_S)


def _row(action: str, tenant: str) -> AuditRow:
    from relayline.journal.access.audit import row_without_request

    return row_without_request(_BY, "cli", tenant, action, tenant)


def _check(tenant: str) -> None:
    from relayline.contracts.principals import TENANT_PATTERN

    if not re.fullmatch(TENANT_PATTERN, tenant):
        raise typer.BadParameter(f"TENANT {tenant!r}: use a-z, 0-9 and -, at most 63")


def _line(key: TenantKey) -> str:
    """A key as one line."""
    wrapped = f"  wrapped by {key.ring_id}" if key.wrapped else ""
    erased = f"  erased {_day(key.erased_us)}" if key.erased_us else ""
    made = f"made {_day(key.created_us)}"
    return f"{key.tenant}  {key.key_id}  {key.state.value}  {made}{wrapped}{erased}"


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d")
