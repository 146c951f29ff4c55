"""The quotas of tenants."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(
        """
        CREATE TABLE relayline.tenant_quotas (
            tenant text COLLATE "C" PRIMARY KEY,
            data text NOT NULL,
            updated_us bigint NOT NULL,
            updated_by text NOT NULL
        )
        """
    )
