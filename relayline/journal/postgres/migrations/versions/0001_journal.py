"""The journal: headers of runs, events, fences, and the one function that appends.

Nothing refers to an event but by run and `seq`, and each unique index begins with `run_id`: the
table of events can be partitioned by hash of `run_id` without a change of any query.

The header is what appends lock. None of its columns that change with every append is in an index,
so that its updates stay in the page (HOT), for which the fill factor leaves room.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE relayline.runs (
    run_id text COLLATE "C" PRIMARY KEY,
    first_seq bigint NOT NULL DEFAULT 1,
    last_seq bigint NOT NULL DEFAULT 0,
    last_at_us bigint NOT NULL DEFAULT 0,
    ended_at_us bigint,
    swept boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE INDEX runs_to_sweep ON relayline.runs (ended_at_us)
    WHERE ended_at_us IS NOT NULL AND NOT swept;
CREATE INDEX runs_open ON relayline.runs (run_id) WHERE ended_at_us IS NULL;

CREATE TABLE relayline.events (
    run_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    at_us bigint NOT NULL,
    type text NOT NULL,
    step integer,
    attempt integer,
    key text COLLATE "C",
    data text NOT NULL,
    PRIMARY KEY (run_id, seq)
);
CREATE UNIQUE INDEX facts_by_key ON relayline.events (run_id, key) WHERE key IS NOT NULL;
CREATE INDEX facts_by_seq ON relayline.events (run_id, seq) WHERE key IS NOT NULL;

CREATE TABLE relayline.fences (
    run_id text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    PRIMARY KEY (run_id, scope)
);

CREATE TABLE relayline.health (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    checked_at timestamptz NOT NULL
);
"""

_APPEND = """
CREATE FUNCTION relayline.append(
    p_run text,
    p_channel text, -- NULL: the caller tells of it afterwards
    p_scope text, p_attempt integer,
    p_types text[], p_steps integer[], p_attempts integer[], p_keys text[], p_data text[],
    p_kinds text[], -- per event: 'ends', 'reopens' or ''
    OUT refusal text, -- 'stale' or 'ended'; then nothing was written
    OUT detail bigint, -- stale: the attempt that has appended; ended: which event was refused
    OUT placed bigint[],
    OUT fresh boolean[]
) LANGUAGE plpgsql AS $$
DECLARE
    header relayline.runs;
    standing integer;
    known bigint;
    newest bigint;
    now_us bigint;
    is_over boolean;
    earlier integer;
BEGIN
    -- The lock on the header makes the order of commits the order of seq.
    SELECT * INTO header FROM relayline.runs WHERE run_id = p_run FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO relayline.runs (run_id) VALUES (p_run) ON CONFLICT DO NOTHING;
        SELECT * INTO header FROM relayline.runs WHERE run_id = p_run FOR NO KEY UPDATE;
    END IF;

    IF p_scope IS NOT NULL THEN
        SELECT attempt INTO standing FROM relayline.fences
            WHERE run_id = p_run AND scope = p_scope;
        IF standing > p_attempt THEN
            refusal := 'stale';
            detail := standing;
            RETURN;
        END IF;
    END IF;

    newest := header.last_seq;
    is_over := header.ended_at_us IS NOT NULL;
    FOR i IN 1 .. cardinality(p_types) LOOP
        known := NULL;
        IF p_keys[i] IS NOT NULL THEN
            earlier := array_position(p_keys[:i - 1], p_keys[i]);
            IF earlier IS NOT NULL THEN
                known := placed[earlier];
            ELSE
                SELECT seq INTO known FROM relayline.events
                    WHERE run_id = p_run AND key = p_keys[i];
            END IF;
        END IF;
        IF known IS NULL THEN
            IF is_over AND p_kinds[i] <> 'reopens' THEN
                refusal := 'ended';
                detail := i;
                RETURN;
            END IF;
            newest := newest + 1;
            is_over := p_kinds[i] = 'ends';
        END IF;
        placed[i] := coalesce(known, newest);
        fresh[i] := known IS NULL;
    END LOOP;

    IF p_scope IS NOT NULL AND standing IS DISTINCT FROM p_attempt THEN
        INSERT INTO relayline.fences (run_id, scope, attempt) VALUES (p_run, p_scope, p_attempt)
            ON CONFLICT (run_id, scope) DO UPDATE SET attempt = excluded.attempt;
    END IF;
    IF newest = header.last_seq THEN
        RETURN;
    END IF;
    now_us := greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                       header.last_at_us);
    INSERT INTO relayline.events (run_id, seq, at_us, type, step, attempt, key, data)
        SELECT p_run, placed[i], now_us, p_types[i], p_steps[i], p_attempts[i], p_keys[i],
               p_data[i]
            FROM generate_subscripts(p_types, 1) AS i WHERE fresh[i];
    UPDATE relayline.runs SET last_seq = newest, last_at_us = now_us,
            ended_at_us = CASE WHEN is_over THEN now_us END, swept = false
        WHERE run_id = p_run;
    IF p_channel IS NOT NULL THEN
        PERFORM pg_notify(p_channel, p_run);
    END IF;
END
$$;
"""


def upgrade() -> None:
    """Create everything; the Postgres schema itself is there already."""
    database = op.get_bind()
    for statement in filter(str.strip, _TABLES.split(";")):
        database.exec_driver_sql(statement)
    database.exec_driver_sql(_APPEND)
