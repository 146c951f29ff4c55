"""The Postgres database of the journal: its connections, and its errors as the port's errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import asyncpg

from relayline.journal.columns import indexed
from relayline.journal.port import JournalUnavailable, Unstorable
from relayline.journal.table import EveryTenant, Tenant

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

T = TypeVar("T")

WAIT_S = 5.0
"""How long to wait for a connection, and for an answer."""
CHECK_S = 1.0
"""How long a check waits for a Postgres that was available before: short, because it is repeated
and must report the problem soon."""
RETRY_S = 0.05
_ANSWER_S = WAIT_S + 1
"""Longer than `statement_timeout`: only for a Postgres that can't even report a time-out."""
AT_START = {"application_name": "relayline"}
"""Start-up parameters of a connection; PgBouncer refuses others, so `_set_up` sets those."""
_SETTINGS = {"jit": "off", "statement_timeout": f"{WAIT_S:g}s"}
_RELAXED = {"synchronous_commit": "off"}
_EVERY = {"relayline.every_tenant": "on"}
_BIND = "SELECT set_config('relayline.tenant', $1, true)"
_DOWN = (asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)
_LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
FAULTS = (*_LOST, asyncpg.PostgresError)
"""Errors of statements and connections that are not bugs of ours."""
_UNSTORABLE = (asyncpg.DataError, asyncpg.ProgramLimitExceededError)
"""Errors about the data: SQLSTATE classes 22 and 54."""
_TRANSIENT = (*_DOWN, *_LOST, asyncpg.TooManyConnectionsError)
_HAS_TRANSACTION_TIMEOUT = 17
"""From this version on, Postgres ends the transaction of a client that was suspended half-way
through it; otherwise the client would hold its locks until it continues."""
_REMEDIES: dict[type[Exception], str] = {
    asyncpg.InvalidSchemaNameError: "run `relayline migrate`",
    asyncpg.UndefinedTableError: "run `relayline migrate`",
    asyncpg.UndefinedFunctionError: "run `relayline migrate`",
    asyncpg.InvalidAuthorizationSpecificationError: "check its user and password",
    asyncpg.InvalidCatalogNameError: "create that database, then run `relayline migrate`",
    asyncpg.InsufficientPrivilegeError: "grant its user the missing privileges",
    asyncpg.ReadOnlySQLTransactionError: "it is a standby or read-only; name the primary",
    asyncpg.DiskFullError: "its disk is full; free some space",
    asyncpg.QueryCanceledError: "another session holds a lock, or it is overloaded",
    asyncpg.TooManyConnectionsError: "raise its max_connections, or run fewer processes",
}


class Database:
    """The database, by its address."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.name = address_of(dsn)
        """The address for people, without the password."""

    async def connect(self, *, relaxed: bool = False) -> Connection:
        """Open a connection for every tenant; with `relaxed`, its commits do not wait for the disk.

        Raises:
            JournalUnavailable: there was no connection within `WAIT_S`.
        """

        async def connected() -> Connection:
            connection = await asyncpg.connect(
                self._dsn, timeout=WAIT_S, command_timeout=_ANSWER_S, server_settings=AT_START
            )
            try:
                await _set_up(connection, **_EVERY | (_RELAXED if relaxed else {}))
            except BaseException:
                connection.terminate()
                raise
            return connection

        return await self.retry(connected)

    def pool(self, size: int) -> asyncpg.Pool[asyncpg.Record]:
        """A pool of at most `size` connections for reading, opened when needed.

        Where row-level security holds, each of their transactions must be bound to see anything.
        """
        return asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=size,
            timeout=WAIT_S,
            command_timeout=_ANSWER_S,
            server_settings=AT_START,
            init=_set_up,
            reset=_leave_as_it_is,
        )

    async def retry(self, ask: Callable[[], Awaitable[T]], patience_s: float = WAIT_S) -> T:
        """Call `ask`, which must be idempotent, and retry it after transient errors.

        Raises:
            JournalUnavailable: Postgres refused, was unreachable for `patience_s`, or did not
                answer within `_ANSWER_S`, after which `ask` is cancelled.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            try:
                async with asyncio.timeout_at(began + _ANSWER_S):
                    return await ask()
            except FAULTS as error:
                if not is_transient(error) or clock() - began >= patience_s:
                    raise self.unavailable(error) from error
            await asyncio.sleep(RETRY_S)

    def unavailable(self, error: Exception) -> JournalUnavailable:
        """The port's error for an error of Postgres or the driver, with a remedy; one line."""
        what = " ".join(str(error).split()) or f"no answer within {_ANSWER_S:g} s"
        remedies = (remedy for kind, remedy in _REMEDIES.items() if isinstance(error, kind))
        remedy = next(remedies, "is it running, and is RELAYLINE_JOURNAL right?")
        return JournalUnavailable(f"the journal {self.name} is unavailable ({what}): {remedy}")

    def translated(self, error: Exception) -> Exception:
        """The port's error for an error of Postgres or the driver; other errors unchanged."""
        if is_unstorable(error):
            what = " ".join(str(error).split())
            return Unstorable(f"the journal {self.name} can't store this ({what})")
        return self.unavailable(error) if isinstance(error, FAULTS) else error

    def outdated(self, found: str | None, needed: str) -> JournalUnavailable:
        """The port's error for an outdated schema."""
        stands = f"its schema is at {found}" if found else "it has no schema"
        return JournalUnavailable(
            f"the journal {self.name} is unavailable ({stands}, this version needs {needed}): "
            "run `relayline migrate`"
        )

    def closed(self) -> JournalUnavailable:
        """The port's error after this process has closed the journal."""
        return JournalUnavailable(f"the journal {self.name} is closed")


def is_transient(error: Exception) -> bool:
    """True if a retry may succeed soon."""
    return isinstance(error, _TRANSIENT)


def was_rolled_back(error: Exception) -> bool:
    """True if Postgres reported that it is shutting down, so the transaction was rolled back."""
    return isinstance(error, _DOWN)


def is_unstorable(error: Exception) -> bool:
    """True if the error is about the data, not about Postgres."""
    of_driver = isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return of_driver or isinstance(error, _UNSTORABLE)


def is_of_one(error: Exception) -> bool:
    """True if the error may be about one append of a group, not about Postgres."""
    return is_unstorable(error) or not isinstance(error, FAULTS)


def address_of(dsn: str) -> str:
    """`host:port/database` of an address, without user, password and parameters."""
    parts = urlsplit(dsn)
    return f"{parts.netloc}{parts.path}".rpartition("@")[
        2
    ]  # the last @, since a password may contain others


async def _set_up(connection: Any, **further: str) -> None:
    """Set the time-outs and options of a connection, in one round trip."""
    settings = _SETTINGS | further
    if connection.get_server_version().major >= _HAS_TRANSACTION_TIMEOUT:
        settings["transaction_timeout"] = f"{2 * WAIT_S:g}s"
    await connection.execute("; ".join(f"SET {it} = '{to}'" for it, to in settings.items()))


async def bind(connection: Connection, tenant: Tenant) -> None:
    """Let the rest of this transaction see the rows of that tenant only."""
    if isinstance(tenant, EveryTenant):
        await connection.execute("SET LOCAL relayline.every_tenant = 'on'")
    else:
        await connection.fetchval(_BIND, indexed(tenant))


async def _leave_as_it_is(_connection: Any) -> None:
    """Skip the round trip that resets a connection: our queries never change its state."""
