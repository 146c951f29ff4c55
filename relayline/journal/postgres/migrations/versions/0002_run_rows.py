"""The runs table: one row per run, its labels and its words.

Older processes may work beside newer ones and append facts that they do not fold into rows. They
call `relayline.append`, which notes such a run in `stale_rows` from now on; newer processes call
`relayline.append_events`, which is what `append` was, and fold themselves. At first all runs are
stale: `relayline migrate` then fills their rows.

`state` is the whole row; of the other columns only those are indexed that seldom change, so that an
update of a row stays in its page (HOT), for which the fill factor leaves room.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE relayline.run_rows (
    run_id text COLLATE "C" PRIMARY KEY,
    folded_seq bigint NOT NULL,
    created_us bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    agent text COLLATE "C",
    model text COLLATE "C",
    batch text COLLATE "C",
    parent text COLLATE "C",
    forked_from text COLLATE "C",
    words text COLLATE "C" NOT NULL,
    attention text,
    attention_at_us bigint,
    state text NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX rows_by_time ON relayline.run_rows (created_us, run_id);
CREATE INDEX rows_by_tenant ON relayline.run_rows (tenant, created_us, run_id);
CREATE INDEX rows_by_status ON relayline.run_rows (status, created_us, run_id);
CREATE INDEX rows_by_tenant_status ON relayline.run_rows (tenant, status, created_us, run_id);
CREATE INDEX rows_by_agent ON relayline.run_rows (agent, created_us, run_id);
CREATE INDEX rows_by_model ON relayline.run_rows (model, created_us, run_id);
CREATE INDEX rows_by_batch ON relayline.run_rows (batch, created_us, run_id)
    WHERE batch IS NOT NULL;
CREATE INDEX rows_by_parent ON relayline.run_rows (parent, created_us, run_id)
    WHERE parent IS NOT NULL;
CREATE INDEX rows_by_fork ON relayline.run_rows (forked_from, created_us, run_id)
    WHERE forked_from IS NOT NULL;
CREATE INDEX rows_by_attention ON relayline.run_rows (created_us, run_id)
    WHERE attention IS NOT NULL;

CREATE TABLE relayline.run_labels (
    tenant text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    created_us bigint NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (key, value, created_us, run_id)
);

CREATE TABLE relayline.run_words (
    tenant text COLLATE "C" NOT NULL,
    word text COLLATE "C" NOT NULL,
    created_us bigint NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (word, created_us, run_id)
);

CREATE TABLE relayline.stale_rows (run_id text COLLATE "C" PRIMARY KEY);
INSERT INTO relayline.stale_rows (run_id) SELECT run_id FROM relayline.runs WHERE last_seq > 0;
"""

_APPEND_OF_OLDER_VERSIONS = """
CREATE OR REPLACE FUNCTION relayline.append(
    p_run text,
    p_channel text,
    p_scope text, p_attempt integer,
    p_types text[], p_steps integer[], p_attempts integer[], p_keys text[], p_data text[],
    p_kinds text[],
    OUT refusal text,
    OUT detail bigint,
    OUT placed bigint[],
    OUT fresh boolean[]
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT done.refusal, done.detail, done.placed, done.fresh
        INTO refusal, detail, placed, fresh
        FROM relayline.append_events(p_run, p_channel, p_scope, p_attempt, p_types, p_steps,
                                     p_attempts, p_keys, p_data, p_kinds) AS done;
    IF EXISTS (SELECT 1 FROM generate_subscripts(p_keys, 1) AS i
               WHERE fresh[i] AND p_keys[i] IS NOT NULL) THEN
        INSERT INTO relayline.stale_rows (run_id) VALUES (p_run) ON CONFLICT DO NOTHING;
        PERFORM pg_notify('relayline_rows', p_run);
    END IF;
END
$$;
"""


def upgrade() -> None:
    """Create the tables, note all runs as stale, and tell the two kinds of writers apart."""
    database = op.get_bind()
    append = database.exec_driver_sql(
        "SELECT pg_get_functiondef('relayline.append'::regproc)"
    ).scalar_one()
    database.exec_driver_sql(append.replace("relayline.append(", "relayline.append_events(", 1))
    database.exec_driver_sql(_APPEND_OF_OLDER_VERSIONS)
    for statement in filter(str.strip, _TABLES.split(";")):
        database.exec_driver_sql(statement)
