"""The audit log: rows that never change, chained by hashes."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE relayline.audit (
        id text COLLATE "C" PRIMARY KEY,
        at_us bigint NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        subject text NOT NULL,
        key_id text NOT NULL,
        via text NOT NULL,
        address text NOT NULL,
        action text NOT NULL,
        target text COLLATE "C" NOT NULL,
        outcome text NOT NULL,
        request_id text NOT NULL,
        detail text NOT NULL,
        seq bigint,
        hash text
    )
    """,
    """
    CREATE TABLE relayline.audit_anchors (
        tenant text COLLATE "C" PRIMARY KEY, seq bigint NOT NULL, hash text NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX audit_chain ON relayline.audit (tenant, seq) WHERE seq IS NOT NULL",
    "CREATE INDEX audit_by_target ON relayline.audit (tenant, target)",
    "CREATE INDEX audit_by_time ON relayline.audit (at_us)",
    "CREATE INDEX audit_unsealed ON relayline.audit (at_us, id) WHERE seq IS NULL",
    """
    CREATE FUNCTION relayline.keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF old.seq IS NULL AND new.seq IS NOT NULL AND new.hash IS NOT NULL
                AND to_jsonb(old) - 'seq' - 'hash' = to_jsonb(new) - 'seq' - 'hash' THEN
                RETURN new;
            END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF EXISTS (
                SELECT 1 FROM relayline.audit_anchors WHERE tenant = old.tenant AND seq >= old.seq
            ) THEN
                RETURN old;
            END IF;
        END IF;
        RAISE EXCEPTION 'a row of the audit log never changes, and stays until it is swept';
    END $$
    """,
    """
    CREATE TRIGGER audit_stands BEFORE UPDATE OR DELETE ON relayline.audit
    FOR EACH ROW EXECUTE FUNCTION relayline.keep_audit()
    """,
    """
    CREATE TRIGGER audit_stays BEFORE TRUNCATE ON relayline.audit
    FOR EACH STATEMENT EXECUTE FUNCTION relayline.keep_audit()
    """,
)
"""A row gets its `seq` and `hash` once; a sweep moves the anchor first."""


def upgrade() -> None:
    """Create the tables, and the triggers that keep them."""
    database = op.get_bind()
    for statement in _STATEMENTS:
        database.exec_driver_sql(statement)
