"""Indexes for what is read or deleted by tenant: batches, and labels and words of runs."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INDEXES = (
    "CREATE INDEX batches_listed ON relayline.batches (tenant, created_us, batch_id)",
    "CREATE INDEX batches_by_time ON relayline.batches (created_us, batch_id)",
    "CREATE INDEX run_labels_by_tenant ON relayline.run_labels (tenant)",
    "CREATE INDEX run_words_by_tenant ON relayline.run_words (tenant)",
)


def upgrade() -> None:
    """Create the indexes."""
    for statement in _INDEXES:
        op.get_bind().exec_driver_sql(statement)
