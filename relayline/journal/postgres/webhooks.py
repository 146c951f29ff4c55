"""The outbox of the Postgres journal, on its connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from relayline.journal.outbox import Outbox
from relayline.journal.outbox_sql import Row, Statement
from relayline.journal.postgres.table import numbered
from relayline.journal.subscription import OpenEvents
from relayline.journal.table import EVERY, Tenant

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

Rows: TypeAlias = list[list[Row]]
T = TypeVar("T")


class Transact(Protocol):
    """Does work in a transaction, and repeats it after transient errors."""

    async def __call__(
        self, work: Callable[[Connection], Awaitable[T]], tenant: Tenant = EVERY
    ) -> T:
        """Do it, seeing that tenant's rows only where row-level security holds."""
        ...


class PostgresWebhooks(Outbox):
    """`journal.webhooks.Webhooks` in the schema of the journal.

    What it writes is idempotent: a transaction whose commit was not confirmed is repeated.
    """

    def __init__(self, transact: Transact, opened: OpenEvents) -> None:
        """Use these connections.

        Args:
            transact: Does work in a transaction, and repeats it after transient errors.
            opened: Opens sealed events.
        """
        self._transact = transact
        self._opened = opened

    async def _run(self, *statements: Statement) -> Rows:
        return await run_statements(self._transact, *statements)

    async def _run_of(self, tenant: Tenant, *statements: Statement) -> Rows:
        return await run_statements(self._transact, *statements, tenant=tenant)


async def run_statements(
    transact: Transact, *statements: Statement, tenant: Tenant = EVERY
) -> Rows:
    """Run the statements, which must be idempotent, in one transaction."""
    return await transact(partial(_each, statements=statements), tenant) if statements else []


async def _each(connection: Connection, statements: tuple[Statement, ...]) -> Rows:
    return [await run_here(connection, statement) for statement in statements]


async def run_steps(
    transact: Transact, steps: Callable[[], Generator[Statement, list[Row], T]]
) -> T:
    """Run statements that depend on each other in one transaction, which must be idempotent."""

    async def work(connection: Connection) -> T:
        running = steps()
        try:
            statement = next(running)
            while True:
                statement = running.send(await run_here(connection, statement))
        except StopIteration as done:
            result: T = done.value
            return result

    return await transact(work)


async def run_here(connection: Connection, statement: Statement) -> list[Row]:
    """Run a statement in the transaction of the connection."""
    text, arguments = statement
    query = numbered(text.replace("{s}", "relayline."))
    return [tuple(row) for row in await connection.fetch(query, *arguments)]
