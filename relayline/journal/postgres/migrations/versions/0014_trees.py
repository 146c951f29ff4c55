"""The top of each run's tree, to find and count the runs below it."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; no run that is there already has another one above it."""
    bind = op.get_bind()
    bind.exec_driver_sql('ALTER TABLE relayline.run_rows ADD COLUMN root text COLLATE "C"')
    bind.exec_driver_sql(
        "CREATE INDEX rows_by_root ON relayline.run_rows (root, created_us, run_id)"
        " WHERE root IS NOT NULL"
    )
