"""Files that people and tools give to models: their pieces are rows, and runs name them."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE relayline.files (
        file_id text COLLATE "C" PRIMARY KEY,
        tenant text COLLATE "C" NOT NULL,
        name text NOT NULL,
        type text NOT NULL,
        size bigint NOT NULL,
        sha256 text NOT NULL,
        created_us bigint NOT NULL,
        expires_us bigint NOT NULL,
        key text NOT NULL,
        doomed integer NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX files_to_expire ON relayline.files (expires_us)",
    "CREATE INDEX files_of_tenant ON relayline.files (tenant, size)",
    "CREATE INDEX files_doomed ON relayline.files (file_id) WHERE doomed = 1",
    """
    CREATE TABLE relayline.file_runs (
        run_id text COLLATE "C" NOT NULL,
        file_id text COLLATE "C" NOT NULL,
        named_us bigint NOT NULL,
        PRIMARY KEY (run_id, file_id)
    )
    """,
    "CREATE INDEX runs_of_file ON relayline.file_runs (file_id, run_id)",
    """
    CREATE TABLE relayline.file_chunks (
        file_id text COLLATE "C" NOT NULL,
        number integer NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (file_id, number)
    )
    """,
    # pictures and sealed pieces do not get smaller
    "ALTER TABLE relayline.file_chunks ALTER COLUMN data SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        op.get_bind().exec_driver_sql(statement)
