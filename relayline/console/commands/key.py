"""`relayline key`: makes, lists, replaces and revokes API keys, on the journal itself."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import typer

from relayline.console.exit import Failure, expecting

if TYPE_CHECKING:
    from pydantic import JsonValue

    from relayline.contracts.principals import Scope
    from relayline.journal.access.api_keys import ApiKeys, StoredKey
    from relayline.journal.access.audit import Audit
    from relayline.journal.access.issuing import IssuedKey, KeyIssuer, KeyRequest
    from relayline.journal.table import Tenant

# ruff: noqa: PLC0415  the command imports what it needs itself: `--help` is quick

_T = TypeVar("_T")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(\d{1,6})([smhd])")
_BY = "relayline key"
USUAL_SCOPES = (
    *("agents:read", "runs:approve", "runs:cancel", "runs:read", "runs:steer", "runs:write"),
)
"""What a key may do if nothing else is said: submit runs, see and steer them."""


KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="Third part of the key.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SCOPE",
        help="What it may do; may be repeated. `all` means everything.",
        show_default=",".join(USUAL_SCOPES),
    ),
]
ToFile = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="FILE",
        help="Write the key into this new file (mode 600) instead of showing it.",
        show_default=False,
    ),
]


class KeyStore(NamedTuple):
    """The stored keys, and who makes new ones."""

    keys: ApiKeys
    issuer: KeyIssuer
    audit: Audit

    async def note(self, action: str, key: StoredKey, **detail: JsonValue) -> None:
        """Write a row of the audit log: whoever reaches the journal leaves one, too."""
        from relayline.journal.access.audit import row_without_request

        row = row_without_request(_BY, "cli", key.tenant, action, key.key_id, **detail)
        await self.audit.add([row])
        await self.audit.seal(100)

    async def note_created(self, key: StoredKey, asked: KeyRequest) -> None:
        """Write the row of a key that was made."""
        scopes: list[JsonValue] = [it.value for it in sorted(asked.scopes)]
        await self.note("key.create", key, name=asked.name, scopes=scopes)


class KeyCommands:
    """The commands; they exit with 1 and one line if there is no such key."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[KeyStore]]) -> None:
        """Create the commands.

        Args:
            opened: The keys, for as long as a command needs them.
        """
        self._opened = opened

    def register(self, app: typer.Typer) -> typer.Typer:
        """Add them to a command line; returns their group."""
        group = typer.Typer(
            no_args_is_help=True,
            help="Make and revoke API keys. Needs the journal and RELAYLINE_SECRET, not the API.",
        )
        for command in (self.create, self.list, self.rotate, self.revoke):
            group.command()(command)
        app.add_typer(group, name="key")
        return group

    def create(
        self,
        name: Annotated[str, typer.Option(metavar="NAME", help="Who, or what, uses the key.")],
        scope: Scopes = None,
        tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose it is.")] = "default",
        expires_in: Annotated[
            str | None,
            typer.Option(metavar="TIME", help="It ends after so long: 90d, 12h."),
        ] = None,
        to: ToFile = None,
    ) -> None:
        """Make a key and show it, once."""
        from relayline.journal.access.issuing import KeyRequest

        _check(name, tenant)
        ends = datetime.now(UTC) + _time(expires_in) if expires_in else None
        asked = KeyRequest(tenant, name, _scopes(scope or USUAL_SCOPES), ends)

        async def create(store: KeyStore) -> IssuedKey:
            issued = await store.issuer.issue(asked, _BY)
            await store.note_created(issued.stored, asked)
            return issued

        _show(self._do(create, to), to)

    def list(
        self,
        tenant: Annotated[
            str | None, typer.Option(metavar="TENANT", help="Only those of this tenant.")
        ] = None,
    ) -> None:
        """Show all keys, newest first."""
        from relayline.console.printable import printable
        from relayline.journal.table import EVERY

        for key in self._do(lambda store: _all(store, EVERY if tenant is None else tenant)):
            typer.echo(printable(_line(key)))

    def rotate(
        self,
        key_id: KeyId,
        grace: Annotated[
            str, typer.Option(metavar="TIME", help="How long the old one still holds.")
        ] = "24h",
        to: ToFile = None,
    ) -> None:
        """Make a key that may do the same and show it, once; the old one ends after the grace."""
        wait = _time(grace)

        async def rotate(store: KeyStore) -> IssuedKey:
            old = await store.keys.find(key_id)
            issued = await store.issuer.rotate(old, wait, _BY) if old else None
            if issued is None:
                raise Failure(f"no key {key_id!r}, or it is revoked")
            if old:
                await store.note("key.rotate", old, made=issued.stored.key_id)
            return issued

        _show(self._do(rotate, to), to)

    def revoke(self, key_id: KeyId) -> None:
        """Revoke a key: within 10 s nobody is let in by it."""
        from relayline.journal.rows import now_us
        from relayline.journal.table import EVERY

        async def revoke(store: KeyStore) -> None:
            revoked = await store.keys.revoke(EVERY, key_id, now_us())
            key = await store.keys.find(key_id) if revoked else None
            if key is None:
                raise Failure(f"no key {key_id!r}")
            await store.note("key.revoke", key)

        self._do(revoke)
        typer.echo(f"{key_id} is revoked")

    def _do(self, work: Callable[[KeyStore], Awaitable[_T]], to: Path | None = None) -> _T:
        from relayline.journal.access.issuing import NoSecret
        from relayline.journal.port import JournalUnavailable

        if to is not None and to.exists():
            raise Failure(f"{to} exists: name a new file")

        async def do() -> _T:
            async with self._opened() as store:
                return await work(store)

        with expecting(JournalUnavailable, NoSecret):
            return asyncio.run(do())


async def _all(store: KeyStore, tenant: Tenant) -> Sequence[StoredKey]:
    """Every key, page by page."""
    from relayline.journal.access.api_keys import KeyPlace

    found: list[StoredKey] = []
    place: KeyPlace | None = None
    while page := await store.keys.keys(tenant, 100, place):
        found += page
        place = KeyPlace(page[-1].created_us, page[-1].key_id)
    return found


def _show(issued: IssuedKey, to: Path | None) -> None:
    """Print the key, or write it into the file."""
    if to is None:
        typer.echo(issued.text)
        typer.echo("keep it: nobody can show it again", err=True)
        return
    try:
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(issued.text + "\n")
    except OSError as error:
        raise Failure(
            f"{to} can't be written ({error.strerror}): revoke {issued.stored.key_id}, make another"
        ) from error
    typer.echo(f"{issued.stored.key_id} is in {to}")


def _line(key: StoredKey) -> str:
    """A key as one line."""
    from relayline.journal.rows import now_us

    state = "holds" if key.holds(now_us()) else "revoked" if key.revoked_us else "expired"
    used = f"used {_day(key.last_used_us)}" if key.last_used_us else "never used"
    ends = f"  until {_day(key.expires_us)}" if key.expires_us else ""
    scopes = ",".join(sorted(key.scopes))
    made = f"made {_day(key.created_us)}"
    return (
        f"{key.key_id}  {state}  {key.tenant}  {key.name}  {made}  {used}{ends}  "
        f"secret {key.pepper_id}  {scopes}"
    )


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d")


def _check(name: str, tenant: str) -> None:
    from relayline.contracts.principals import TENANT_PATTERN

    if not (name.isprintable() and 0 < len(name) <= 100):
        raise typer.BadParameter("--name: 1 to 100 printable characters")
    if not re.fullmatch(TENANT_PATTERN, tenant):
        raise typer.BadParameter(f"--tenant {tenant!r}: use a-z, 0-9 and -, at most 63")


def _scopes(given: Sequence[str]) -> frozenset[Scope]:
    from relayline.contracts.principals import Scope

    if "all" in given:
        return frozenset(Scope)
    known = {scope.value for scope in Scope}
    for text in given:
        if text not in known:
            raise typer.BadParameter(f"--scope {text!r}: use {', '.join(sorted(known))} or all")
    return frozenset(Scope(text) for text in given)


def _time(text: str) -> timedelta:
    """A length of time such as `24h`.

    Raises:
        BadParameter: it is none.
    """
    parsed = _SPAN.fullmatch(text)
    if parsed is None:
        raise typer.BadParameter(f"{text!r}: write a number and s, m, h or d, such as 24h")
    return timedelta(seconds=int(parsed[1]) * _UNITS[parsed[2]])
