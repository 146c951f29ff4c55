"""`relayline audit`: shows the audit log and verifies its chains, on the journal itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from relayline.console.exit import Failure, expecting

if TYPE_CHECKING:
    from relayline.journal.access.audit import Audit, SealedRow
    from relayline.journal.access.chain import Anchor, Verdict

# ruff: noqa: PLC0415  the command imports what it needs itself: `--help` is quick

_T = TypeVar("_T")
_PLACE = re.compile(r"(\d{1,18}):([0-9a-f]{64})")

Tenant = Annotated[str | None, typer.Option(metavar="TENANT", help="Only this tenant.")]


class AuditCommands:
    """The commands; `verify` exits with 1 if a chain is broken."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[Audit]]) -> None:
        """Create the commands.

        Args:
            opened: The audit log, for as long as a command needs it.
        """
        self._opened = opened

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(
            no_args_is_help=True,
            help="See and verify who did what. Needs the journal, not the API.",
        )
        for command in (self.list, self.verify):
            group.command()(command)
        app.add_typer(group, name="audit")

    def list(  # noqa: PLR0913, PLR0917  one parameter per filter
        self,
        tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose rows.")] = "default",
        after: Annotated[int, typer.Option(metavar="SEQ", help="Only rows after this one.")] = 0,
        action: Annotated[
            str | None, typer.Option(metavar="ACTION", help="Such as run.submit.")
        ] = None,
        subject: Annotated[str | None, typer.Option(metavar="NAME", help="Who did it.")] = None,
        target: Annotated[
            str | None, typer.Option(metavar="ID", help="The run, key, … that it was done to.")
        ] = None,
        limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 100,
    ) -> None:
        """Show rows of a tenant, oldest first; those of nobody known have the tenant `-`."""
        from relayline.console.printable import printable
        from relayline.journal.access.audit import AuditFilter

        wanted = AuditFilter(action, subject, target)
        for row in self._do(lambda audit: audit.sealed(tenant, after, limit, wanted)):
            typer.echo(printable(_line(row)))

    def verify(
        self,
        tenant: Tenant = None,
        known: Annotated[
            str | None,
            typer.Option(
                metavar="SEQ:HASH",
                help="A head that an earlier verify has shown: it must still be in the chain. "
                "Needs --tenant.",
            ),
        ] = None,
    ) -> None:
        """Follow the chain of each tenant, and tell the first row that is not as it was written."""
        place = _place(known)
        if place and tenant is None:
            raise typer.BadParameter("--known: name its --tenant, too")
        verdicts, unsealed = self._do(lambda audit: _verified(audit, tenant, place))
        for verdict in verdicts:
            typer.echo(verdict_line(verdict))
        if unsealed:
            typer.echo(f"{unsealed} rows are not sealed yet", err=True)
        if broken := [it.tenant for it in verdicts if it.broken]:
            raise Failure(f"the audit log is broken: {', '.join(broken)}")

    def _do(self, work: Callable[[Audit], Awaitable[_T]]) -> _T:
        from relayline.journal.port import JournalUnavailable

        async def do() -> _T:
            async with self._opened() as audit:
                return await work(audit)

        with expecting(JournalUnavailable):
            return asyncio.run(do())


async def _verified(
    audit: Audit, tenant: str | None, known: Anchor | None
) -> tuple[list[Verdict], int]:
    from relayline.journal.access.chain import verify

    tenants = [tenant] if tenant else await audit.tenants()
    return [await verify(audit, it, known) for it in tenants], await audit.unsealed()


def _place(text: str | None) -> Anchor | None:
    from relayline.journal.access.chain import Anchor

    if text is None:
        return None
    if not (parsed := _PLACE.fullmatch(text)):
        raise typer.BadParameter(f"--known {text!r}: write SEQ:HASH, as verify shows it")
    return Anchor(int(parsed[1]), parsed[2])


def verdict_line(verdict: Verdict) -> str:
    """A verdict as one line."""
    if verdict.broken:
        return f"{verdict.tenant}: broken at row {verdict.broken.seq}: {verdict.broken.why}"
    swept = f", {verdict.begins.seq} swept before" if verdict.begins.seq else ""
    if verdict.unseen:
        swept += f", row {verdict.unseen.seq} (--known) was swept since: it is not checked"
    count = verdict.head.seq - verdict.begins.seq
    return f"{verdict.tenant}: {count} rows hold{swept}, head {verdict.head}"


def _line(sealed: SealedRow) -> str:
    """A row as one line."""
    from relayline.contracts.envelope import rfc3339

    row = sealed.row
    by = row.subject or "nobody known"
    key = f" (key {row.key_id})" if row.key_id else ""
    where = f" from {row.address}" if row.address else ""
    return (
        f"{sealed.seq}  {rfc3339(row.at_us)}  {row.action}  {row.target}  {row.outcome}  "
        f"by {by}{key}{where}  {row.detail}"
    )
