"""API keys: what is stored of them, which is never enough to use one."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE relayline.api_keys (
    key_id text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    name text NOT NULL,
    hash text NOT NULL,
    pepper_id text NOT NULL,
    scopes text NOT NULL,
    created_us bigint NOT NULL,
    created_by text NOT NULL,
    expires_us bigint,
    last_used_us bigint,
    revoked_us bigint
);
CREATE INDEX api_keys_listed ON relayline.api_keys (tenant, created_us, key_id);
"""


def upgrade() -> None:
    """Create the table."""
    database = op.get_bind()
    for statement in filter(str.strip, _TABLE.split(";")):
        database.exec_driver_sql(statement)
