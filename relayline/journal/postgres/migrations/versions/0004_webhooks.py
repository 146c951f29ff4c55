"""Receivers of webhooks and what they are told.

A trigger notes the facts to tell, whichever version appends them. It looks at no delta: its
condition is checked before anything is queued, and its function returns at once while there is no
receiver.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TYPES = """
'run.queued', 'run.waiting', 'turn.completed', 'run.completed', 'run.failed', 'run.cancelled',
'run.terminated', 'run.timed_out'
"""
_TABLES = """
CREATE TABLE relayline.webhooks (
    webhook_id text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    url text NOT NULL,
    events text,
    agents text,
    named_only bigint NOT NULL,
    secret_id text COLLATE "C" NOT NULL,
    created_us bigint NOT NULL,
    failing_us bigint,
    strikes bigint NOT NULL DEFAULT 0,
    disabled_us bigint,
    disabled_reason text,
    owner text,
    lease_us bigint NOT NULL DEFAULT 0,
    resume_us bigint NOT NULL DEFAULT 0
);
CREATE INDEX webhooks_listed ON relayline.webhooks (tenant, created_us, webhook_id);
CREATE TABLE relayline.webhook_secrets (
    secret_id text COLLATE "C" PRIMARY KEY,
    secret text NOT NULL,
    old_secret text,
    old_until_us bigint NOT NULL DEFAULT 0
);
CREATE TABLE relayline.untold (
    run_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (run_id, seq)
);
CREATE TABLE relayline.deliveries (
    delivery_id text COLLATE "C" PRIMARY KEY,
    webhook_id text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    state text NOT NULL,
    tries text NOT NULL,
    failures bigint NOT NULL,
    next_us bigint,
    until_us bigint,
    created_us bigint NOT NULL
);
CREATE INDEX deliveries_due ON relayline.deliveries (webhook_id, next_us) WHERE state = 'pending';
CREATE INDEX deliveries_waiting ON relayline.deliveries (webhook_id, run_id, seq)
    WHERE state = 'pending';
CREATE INDEX deliveries_listed ON relayline.deliveries (webhook_id, created_us, delivery_id);
CREATE INDEX deliveries_by_run ON relayline.deliveries (run_id);
"""
_NOTE = """
CREATE FUNCTION relayline.note_to_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM relayline.webhooks) THEN
        INSERT INTO relayline.untold (run_id, seq) VALUES (new.run_id, new.seq)
            ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;
"""
_TRIGGER = f"""
CREATE TRIGGER facts_to_tell AFTER INSERT ON relayline.events FOR EACH ROW
WHEN (new.key IS NOT NULL AND new.type IN ({_TYPES})) EXECUTE FUNCTION relayline.note_to_tell()
"""


def upgrade() -> None:
    """Create the tables, then the trigger."""
    database = op.get_bind()
    for statement in filter(str.strip, _TABLES.split(";")):
        database.exec_driver_sql(statement)
    database.exec_driver_sql(_NOTE)
    database.exec_driver_sql(_TRIGGER)
