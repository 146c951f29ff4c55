"""The Postgres database of the journal: connections to it, and its errors in the port's words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import asyncpg

from relayline.journal.port import JournalUnavailable, Unstorable

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

T = TypeVar("T")

WAIT_S = 5.0
"""How long Postgres is waited for: to be reached, and to answer."""
CHECK_S = 1.0
"""How long one is waited for that is known to have been there: whoever checks it wants to know why
it is not, and asks again."""
RETRY_S = 0.05
_ANSWER_S = WAIT_S + 1
"""Later than Postgres gives up by itself: only for one that can't even say so."""
AT_START = {"application_name": "relayline"}
"""What a connection begins with; PgBouncer refuses others, which are set afterwards."""
_SETTINGS = {"jit": "off", "statement_timeout": f"{WAIT_S:g}s"}
_RELAXED = {"synchronous_commit": "off"}
_DOWN = (asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)
_LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
FAULTS = (*_LOST, asyncpg.PostgresError)
"""What a statement or a connection may fail with, other than by our own mistake."""
_UNSTORABLE = (asyncpg.DataError, asyncpg.ProgramLimitExceededError)
"""What Postgres has against what it was given: SQLSTATE classes 22 and 54."""
_TRANSIENT = (*_DOWN, *_LOST, asyncpg.TooManyConnectionsError)
_HAS_TRANSACTION_TIMEOUT = 17
"""Since this version Postgres ends the transaction of a process that was stopped half-way through
sending it, and that would otherwise hold its locks until it goes on."""
_REMEDIES: dict[type[Exception], str] = {
    asyncpg.InvalidSchemaNameError: "run `relayline migrate`",
    asyncpg.UndefinedTableError: "run `relayline migrate`",
    asyncpg.UndefinedFunctionError: "run `relayline migrate`",
    asyncpg.InvalidAuthorizationSpecificationError: "check its user and password",
    asyncpg.InvalidCatalogNameError: "create that database, then run `relayline migrate`",
    asyncpg.InsufficientPrivilegeError: "grant its user what it lacks",
    asyncpg.ReadOnlySQLTransactionError: "it is a standby or read-only; name the primary",
    asyncpg.DiskFullError: "its disk is full; free some space",
    asyncpg.QueryCanceledError: "somebody holds a lock, or it has too much to do",
    asyncpg.TooManyConnectionsError: "raise its max_connections, or run fewer processes",
}


class Database:
    """Where the journal is, and how it is reached."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.name = address_of(dsn)
        """For people: without the password."""

    async def connect(self, *, relaxed: bool = False) -> Connection:
        """A new connection; with `relaxed`, one whose commits do not wait for the disk.

        Raises:
            JournalUnavailable: none could be made within `WAIT_S`.
        """

        async def connected() -> Connection:
            connection = await asyncpg.connect(
                self._dsn, timeout=WAIT_S, command_timeout=_ANSWER_S, server_settings=AT_START
            )
            try:
                await _set_up(connection, **_RELAXED if relaxed else {})
            except BaseException:
                connection.terminate()
                raise
            return connection

        return await self.retry(connected)

    def pool(self, size: int) -> asyncpg.Pool[asyncpg.Record]:
        """At most `size` connections for reading, made when they are needed."""
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
        """The answer to a question that may be asked again.

        Raises:
            JournalUnavailable: Postgres refused, or was not there for `patience_s`, or no answer
                came within `_ANSWER_S`, in which `ask` is cut off, whatever it waits for.
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
        """The port's error for one of Postgres's or the driver's, with what to do; one line."""
        what = " ".join(str(error).split()) or f"no answer within {_ANSWER_S:g} s"
        remedies = (said for kind, said in _REMEDIES.items() if isinstance(error, kind))
        remedy = next(remedies, "is it running, and is RELAYLINE_JOURNAL right?")
        return JournalUnavailable(f"the journal {self.name} is unavailable ({what}): {remedy}")

    def translated(self, error: Exception) -> Exception:
        """The port's error where it is Postgres's or the driver's; any other as it is."""
        if is_unstorable(error):
            what = " ".join(str(error).split())
            return Unstorable(f"the journal {self.name} can't hold this ({what})")
        return self.unavailable(error) if isinstance(error, FAULTS) else error

    def outdated(self, found: str | None, needed: str) -> JournalUnavailable:
        """The port's error for a schema that is too old."""
        stands = f"its schema is at {found}" if found else "it has no schema"
        return JournalUnavailable(
            f"the journal {self.name} is unavailable ({stands}, this version needs {needed}): "
            "run `relayline migrate`"
        )

    def closed(self) -> JournalUnavailable:
        """The port's error for a journal that this process has closed."""
        return JournalUnavailable(f"the journal {self.name} is closed")


def is_transient(error: Exception) -> bool:
    """True when the same may succeed in a moment."""
    return isinstance(error, _TRANSIENT)


def was_rolled_back(error: Exception) -> bool:
    """True when Postgres said so itself that it undid the transaction because it stops."""
    return isinstance(error, _DOWN)


def is_unstorable(error: Exception) -> bool:
    """True when the error is about what was to be written, not about Postgres."""
    of_driver = isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return of_driver or isinstance(error, _UNSTORABLE)


def address_of(dsn: str) -> str:
    """`host:port/database` of an address, without user, password and parameters."""
    parts = urlsplit(dsn)
    return f"{parts.netloc}{parts.path}".rpartition("@")[2]  # the last: a password may have others


async def _set_up(connection: Any, **further: str) -> None:
    """Bound what the connection may take, for as long as it lasts; in one round trip."""
    settings = _SETTINGS | further
    if connection.get_server_version().major >= _HAS_TRANSACTION_TIMEOUT:
        settings["transaction_timeout"] = f"{2 * WAIT_S:g}s"
    await connection.execute("; ".join(f"SET {it} = '{to}'" for it, to in settings.items()))


async def _leave_as_it_is(_connection: Any) -> None:
    """In place of the round trip that resets a connection: ours never change its state."""
