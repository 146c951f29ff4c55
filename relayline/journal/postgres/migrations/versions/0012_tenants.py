"""Policies of row-level security: what a role that does not bypass them sees.

They are dormant: `deploy/postgres-roles.sql` turns them on for the tables that have one, once all
processes are of a version that knows them. Owners of the tables bypass them, so one role for all
works as before.

A transaction sees the rows of the tenant in `relayline.tenant`, or of every tenant where
`relayline.every_tenant` is on, and nothing at all where neither is set: after a `SET LOCAL` the
setting is empty and not null, which is nobody, too. Events and headers are seen where the row of
their run is.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_EVERY = "(SELECT current_setting('relayline.every_tenant', true)) = 'on'"
_OWN = "tenant = (SELECT nullif(current_setting('relayline.tenant', true), ''))"
_OF_RUN = "EXISTS (SELECT 1 FROM relayline.run_rows own WHERE own.run_id = {table}.run_id)"
_OF_BATCH = "EXISTS (SELECT 1 FROM relayline.batches own WHERE own.batch_id = {table}.batch_id)"
_POLICIES = {
    "run_rows": _OWN,
    "run_labels": _OWN,
    "run_words": _OWN,
    "runs": _OF_RUN,
    "events": _OF_RUN,
    "batches": _OWN,
    "run_starts": _OF_BATCH,
    "webhooks": _OWN,
    "deliveries": _OWN,
}


def upgrade() -> None:
    """Create the policies; each is for reading and writing."""
    database = op.get_bind()
    for table, seen in _POLICIES.items():
        database.exec_driver_sql(
            f"CREATE POLICY tenants_apart ON relayline.{table}"
            f" USING ({_EVERY} OR {seen.format(table=table)})"
        )
