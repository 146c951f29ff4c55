"""The beats of workers, and the calls that they hold.

Neither table sends a NOTIFY, and neither is written through `relayline.append_events`.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE relayline.beats (
    worker text COLLATE "C" PRIMARY KEY,
    counter bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE relayline.held (
    worker text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    activity_id text NOT NULL,
    task_token bytea NOT NULL,
    PRIMARY KEY (worker, run_id, scope)
);
CREATE INDEX held_by_run ON relayline.held (run_id);
"""


def upgrade() -> None:
    """Create both."""
    database = op.get_bind()
    for statement in filter(str.strip, _TABLES.split(";")):
        database.exec_driver_sql(statement)
