"""What each build of the workers can run."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(
        """
        CREATE TABLE relayline.catalogs (
            build text COLLATE "C" PRIMARY KEY,
            sha256 text NOT NULL,
            data text NOT NULL,
            written_us bigint NOT NULL,
            seen_us bigint
        )
        """
    )
