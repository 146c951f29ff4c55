"""The keys of tenants, wrapped by the deployment's: what they seal can't be read without both.

Older processes can't read what is sealed: make the first key once all are of a version that knows
this table.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE relayline.tenant_keys (
    tenant text COLLATE "C" PRIMARY KEY,
    key_id text COLLATE "C" NOT NULL UNIQUE,
    state text NOT NULL,
    ring_id text NOT NULL,
    wrapped text NOT NULL,
    created_us bigint NOT NULL,
    erasing_us bigint,
    erased_us bigint
)
"""


def upgrade() -> None:
    """Create the table; nobody has a key at first."""
    op.get_bind().exec_driver_sql(_TABLE)
