"""The table of which receivers runs name, in SQLite: older files get it on opening."""

from __future__ import annotations

WEBHOOK_RUNS = (
    "ALTER TABLE webhooks ADD COLUMN named_us INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE webhooks SET named_us = CAST(strftime('%s', 'now') AS INTEGER) * 1000000
    WHERE named_only = 1
    """,
    """
    CREATE TABLE webhook_runs (
        run_id TEXT NOT NULL,
        webhook_id TEXT NOT NULL,
        PRIMARY KEY (run_id, webhook_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX runs_of_webhook ON webhook_runs (webhook_id, run_id)",
    """
    INSERT INTO webhook_runs (run_id, webhook_id) SELECT run_id, '' FROM runs
    WHERE ended_at_us IS NULL AND EXISTS (SELECT 1 FROM webhooks WHERE named_only = 1)
    """,
)
"""It can't be told which receiver a run names that is open by then: it keeps all that only runs
name."""
