"""What sums are made of, in rows that older versions have written: Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from relayline.journal.columns import spent_in
from relayline.journal.postgres.statements import SUM
from relayline.journal.tenants.known_rows import KnownRows

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

STALE = """
(SELECT run_id FROM relayline.stale_rows ORDER BY run_id LIMIT $1)
UNION (SELECT run_id FROM relayline.unsummed_rows ORDER BY run_id LIMIT $1)
"""
_STATES = """
SELECT r.run_id, r.state FROM relayline.unsummed_rows u
JOIN relayline.run_rows r ON r.run_id = u.run_id WHERE u.run_id = ANY ($1)
"""
_SUMMED = "DELETE FROM relayline.unsummed_rows WHERE run_id = ANY ($1)"


async def sum_up(connection: Connection, run_ids: Sequence[str], known: KnownRows) -> None:
    """Write what sums are made of where an older version has not.

    Must be called in a transaction that holds the locks on the headers of these runs.
    """
    found = await connection.fetch(_STATES, run_ids)
    if found:
        rows = [(id_, *spent_in(known.opened_state(id_, state))) for id_, state in found]
        await connection.execute(SUM, *(list(column) for column in zip(*rows, strict=True)))
    await connection.execute(_SUMMED, run_ids)
