"""What runs have used, in columns of their rows: exact, and summed without reading the rows.

Older processes change rows without these columns, and leave `summed_seq` behind: a trigger notes
them in `unsummed_rows`, and whoever reads sums brings them up to date first, as with `stale_rows`.
At first all rows are noted: `relayline migrate` then fills them.

The index by tenant and status has all that a sum is made of. It replaces one, so that a new row has
as many entries as before.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE relayline.run_rows
    ADD COLUMN input_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN cost_picos bigint,
    ADD COLUMN estimated smallint NOT NULL DEFAULT 0,
    ADD COLUMN ended_us bigint,
    ADD COLUMN summed_seq bigint NOT NULL DEFAULT 0;
CREATE TABLE relayline.unsummed_rows (run_id text COLLATE "C" PRIMARY KEY);
INSERT INTO relayline.unsummed_rows (run_id) SELECT run_id FROM relayline.run_rows;
DROP INDEX relayline.rows_by_tenant_status;
CREATE INDEX rows_by_tenant_status ON relayline.run_rows (tenant, status, created_us, run_id)
    INCLUDE (input_tokens, output_tokens, cost_picos, estimated);
CREATE INDEX rows_by_end ON relayline.run_rows (tenant, ended_us) WHERE ended_us IS NOT NULL;
"""
_NOTE = """
CREATE FUNCTION relayline.note_unsummed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO relayline.unsummed_rows (run_id) VALUES (NEW.run_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
"""
_TRIGGER = """
CREATE TRIGGER sums_go_stale AFTER INSERT OR UPDATE OF state ON relayline.run_rows
FOR EACH ROW WHEN (NEW.summed_seq IS DISTINCT FROM NEW.folded_seq)
EXECUTE FUNCTION relayline.note_unsummed()
"""


def upgrade() -> None:
    """Add the columns, note all rows as not summed, and those that older processes change."""
    database = op.get_bind()
    for statement in filter(str.strip, _COLUMNS.split(";")):
        database.exec_driver_sql(statement)
    database.exec_driver_sql(_NOTE)
    database.exec_driver_sql(_TRIGGER)
