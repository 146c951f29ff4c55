"""Which receivers of webhooks runs name, so that those that no run names can be removed.

It can't be told here which receiver an open run names: its first fact may be sealed. Each of them
keeps all receivers that only runs name until nothing is left of it.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_STATEMENTS = (
    "ALTER TABLE relayline.webhooks ADD COLUMN named_us bigint NOT NULL DEFAULT 0",
    f"UPDATE relayline.webhooks SET named_us = {_NOW} WHERE named_only = 1",  # noqa: S608
    """
    CREATE TABLE relayline.webhook_runs (
        run_id text COLLATE "C" NOT NULL,
        webhook_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (run_id, webhook_id)
    )
    """,
    "CREATE INDEX runs_of_webhook ON relayline.webhook_runs (webhook_id, run_id)",
    """
    INSERT INTO relayline.webhook_runs (run_id, webhook_id)
    SELECT run_id, '' FROM relayline.runs WHERE ended_at_us IS NULL AND last_seq > 0
    AND EXISTS (SELECT 1 FROM relayline.webhooks WHERE named_only = 1)
    """,
)


def upgrade() -> None:
    """Create the table, with the runs that are open now."""
    for statement in _STATEMENTS:
        op.get_bind().exec_driver_sql(statement)
