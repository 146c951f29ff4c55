"""Batches, and the runs of them that are accepted but not yet started."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE relayline.batches (
    batch_id text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    created_us bigint NOT NULL,
    data text NOT NULL
);

CREATE TABLE relayline.run_starts (
    run_id text COLLATE "C" PRIMARY KEY,
    batch_id text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    data text NOT NULL
);
CREATE INDEX run_starts_by_batch ON relayline.run_starts (batch_id, position);
"""


def upgrade() -> None:
    """Create both."""
    database = op.get_bind()
    for statement in filter(str.strip, _TABLES.split(";")):
        database.exec_driver_sql(statement)
