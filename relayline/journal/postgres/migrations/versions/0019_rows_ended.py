"""An index for runs that ended within a time, of all tenants together."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_INDEX = "CREATE INDEX rows_ended ON relayline.run_rows (ended_us) WHERE ended_us IS NOT NULL"


def upgrade() -> None:
    """Create the index."""
    op.get_bind().exec_driver_sql(_INDEX)
