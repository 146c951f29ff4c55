"""What older files of the journal get on opening; older versions ignore it."""

from __future__ import annotations

import sqlite3

from relayline.journal.access.audit import AuditRow
from relayline.journal.files.file_schema import FILES
from relayline.journal.named.webhook_runs import WEBHOOK_RUNS
from relayline.journal.sqlite.batches import BATCHES
from relayline.journal.sqlite.held import HELD
from relayline.journal.sqlite.tombstones import tombstone_statements
from relayline.projections.row import ROW_TYPES

_BY_TENANT = (
    "CREATE INDEX IF NOT EXISTS run_labels_by_tenant ON run_labels (tenant)",
    "CREATE INDEX IF NOT EXISTS run_words_by_tenant ON run_words (tenant)",
)
"""For erasing a tenant."""
_FACTS = ", ".join(f"'{kind}'" for kind in sorted(ROW_TYPES))
_ROWS = """
CREATE TABLE IF NOT EXISTS run_rows (
    run_id TEXT PRIMARY KEY,
    folded_seq INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    status TEXT NOT NULL,
    agent TEXT,
    model TEXT,
    batch TEXT,
    parent TEXT,
    forked_from TEXT,
    words TEXT NOT NULL,
    attention TEXT,
    attention_at_us INTEGER,
    state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS rows_by_time ON run_rows (created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant ON run_rows (tenant, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_status ON run_rows (status, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant_status ON run_rows (tenant, status, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_agent ON run_rows (agent, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_model ON run_rows (model, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_batch ON run_rows (batch, created_us, run_id)
    WHERE batch IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_parent ON run_rows (parent, created_us, run_id)
    WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_fork ON run_rows (forked_from, created_us, run_id)
    WHERE forked_from IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_attention ON run_rows (created_us, run_id)
    WHERE attention IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_note ON run_rows (attention_at_us)
    WHERE attention_at_us IS NOT NULL;
CREATE TABLE IF NOT EXISTS run_labels (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (key, value, created_us, run_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_words (
    tenant TEXT NOT NULL,
    word TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (word, created_us, run_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stale_rows (run_id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO stale_rows (run_id) SELECT run_id FROM runs
"""
_TRIGGER = f"""
CREATE TRIGGER IF NOT EXISTS rows_go_stale AFTER INSERT ON events
WHEN new.key IS NOT NULL AND new.type IN ({_FACTS}) AND NOT EXISTS (
    SELECT 1 FROM run_rows WHERE run_id = new.run_id AND folded_seq >= new.seq
) BEGIN INSERT OR IGNORE INTO stale_rows (run_id) VALUES (new.run_id); END
"""  # noqa: S608  constants only
_SUMS = """
ALTER TABLE run_rows ADD COLUMN input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_rows ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_rows ADD COLUMN cost_picos INTEGER;
ALTER TABLE run_rows ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_rows ADD COLUMN ended_us INTEGER;
ALTER TABLE run_rows ADD COLUMN summed_seq INTEGER NOT NULL DEFAULT 0;
CREATE TABLE IF NOT EXISTS unsummed_rows (run_id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT OR IGNORE INTO unsummed_rows (run_id) SELECT run_id FROM run_rows;
DROP INDEX IF EXISTS rows_by_tenant_status;
CREATE INDEX rows_by_tenant_status ON run_rows (tenant, status, created_us, run_id,
    input_tokens, output_tokens, cost_picos, estimated);
CREATE INDEX rows_by_end ON run_rows (tenant, ended_us) WHERE ended_us IS NOT NULL
"""
_ENDED = "CREATE INDEX IF NOT EXISTS rows_ended ON run_rows (ended_us) WHERE ended_us IS NOT NULL"
_ROOTS = """
ALTER TABLE run_rows ADD COLUMN root TEXT;
CREATE INDEX rows_by_root ON run_rows (root, created_us, run_id) WHERE root IS NOT NULL
"""
_UNSUMMED = """
CREATE TRIGGER IF NOT EXISTS sums_go_stale_{what} AFTER {when} ON run_rows
WHEN new.summed_seq IS NOT new.folded_seq
BEGIN INSERT OR IGNORE INTO unsummed_rows (run_id) VALUES (new.run_id); END
"""
"""An older version changes the row and leaves `summed_seq` as it was."""
_OPEN_INDEX = """
CREATE INDEX IF NOT EXISTS runs_open ON runs (run_id) WHERE ended_at_us IS NULL
"""
_OUTBOX = """
CREATE TABLE IF NOT EXISTS webhooks (
    webhook_id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT,
    agents TEXT,
    named_only INTEGER NOT NULL,
    secret_id TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    failing_us INTEGER,
    strikes INTEGER NOT NULL DEFAULT 0,
    disabled_us INTEGER,
    disabled_reason TEXT,
    owner TEXT,
    lease_us INTEGER NOT NULL DEFAULT 0,
    resume_us INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS webhooks_listed ON webhooks (tenant, created_us, webhook_id);
CREATE TABLE IF NOT EXISTS webhook_secrets (
    secret_id TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    old_secret TEXT,
    old_until_us INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS untold (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (run_id, seq)
);
CREATE TABLE IF NOT EXISTS deliveries (
    delivery_id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    tries TEXT NOT NULL,
    failures INTEGER NOT NULL,
    next_us INTEGER,
    until_us INTEGER,
    created_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (webhook_id, next_us)
    WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (webhook_id, run_id, seq)
    WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_listed ON deliveries (webhook_id, created_us, delivery_id);
CREATE INDEX IF NOT EXISTS deliveries_by_run ON deliveries (run_id)
"""
"""A note in `untold` is a fact that is not yet planned. `next_us` is null for a delivery that waits
for an earlier one of its run."""
_API_KEYS = (
    """
    CREATE TABLE IF NOT EXISTS api_keys (
        key_id TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        name TEXT NOT NULL,
        hash TEXT NOT NULL,
        pepper_id TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        expires_us INTEGER,
        last_used_us INTEGER,
        revoked_us INTEGER
    )
    """,
    "CREATE INDEX IF NOT EXISTS api_keys_listed ON api_keys (tenant, created_us, key_id)",
)
_OLD, _NEW = (", ".join(f"{side}.{name}" for name in AuditRow._fields) for side in ("old", "new"))
_AUDIT = (
    """
    CREATE TABLE IF NOT EXISTS audit (
        id TEXT PRIMARY KEY,
        at_us INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        subject TEXT NOT NULL,
        key_id TEXT NOT NULL,
        via TEXT NOT NULL,
        address TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL,
        request_id TEXT NOT NULL,
        detail TEXT NOT NULL,
        seq INTEGER,
        hash TEXT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS audit_anchors (
        tenant TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS audit_chain ON audit (tenant, seq) WHERE seq IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS audit_by_target ON audit (tenant, target)",
    "CREATE INDEX IF NOT EXISTS audit_by_time ON audit (at_us)",
    "CREATE INDEX IF NOT EXISTS audit_unsealed ON audit (at_us, id) WHERE seq IS NULL",
    f"""
    CREATE TRIGGER IF NOT EXISTS audit_stands BEFORE UPDATE ON audit
    WHEN old.seq IS NOT NULL OR new.seq IS NULL OR new.hash IS NULL
        OR ({_OLD}) IS NOT ({_NEW})
    BEGIN SELECT RAISE(ABORT, 'a row of the audit log never changes'); END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE DELETE ON audit
    WHEN NOT EXISTS (
        SELECT 1 FROM audit_anchors WHERE tenant = old.tenant AND seq >= old.seq
    )
    BEGIN SELECT RAISE(ABORT, 'a row of the audit log stays until it is swept'); END
    """,
)
"""A row gets its `seq` and `hash` once; a sweep moves the anchor first."""
_QUOTAS = """
CREATE TABLE IF NOT EXISTS tenant_quotas (
    tenant TEXT PRIMARY KEY,
    data TEXT NOT NULL,
    updated_us INTEGER NOT NULL,
    updated_by TEXT NOT NULL
)
"""

_TENANT_KEYS = """
CREATE TABLE IF NOT EXISTS tenant_keys (
    tenant TEXT PRIMARY KEY,
    key_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    ring_id TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    erasing_us INTEGER,
    erased_us INTEGER
)
"""
_CATALOGS = """
CREATE TABLE IF NOT EXISTS catalogs (
    build TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    data TEXT NOT NULL,
    written_us INTEGER NOT NULL,
    seen_us INTEGER
)
"""


def add_missing(db: sqlite3.Connection) -> None:
    """Add what the file does not have yet. Safe to repeat and to run concurrently."""
    db.execute(_OPEN_INDEX)
    db.execute(HELD)
    tables = (*BATCHES, *_API_KEYS, *_AUDIT, _QUOTAS, _TENANT_KEYS, _CATALOGS, *FILES)
    for statement in tables:
        db.execute(statement)
    # the rows of runs that there are already are filled when they are asked for
    _ensure(db, ("trigger", "rows_go_stale"), *_ROWS.split(";"), _TRIGGER)
    for statement in _BY_TENANT:
        db.execute(statement)
    _ensure(db, ("index", "rows_by_expiry"), *tombstone_statements())
    triggers = [
        _UNSUMMED.format(what=what, when=when)
        for what, when in (("insert", "INSERT"), ("update", "UPDATE OF state"))
    ]
    _ensure(db, ("index", "rows_by_end"), *_SUMS.split(";"), *triggers)
    db.execute(_ENDED)
    _ensure(db, ("index", "rows_by_root"), *_ROOTS.split(";"))
    # the trigger that fills these tables comes with the first receiver
    _ensure(db, ("index", "deliveries_by_run"), *_OUTBOX.split(";"))
    _ensure(db, ("index", "runs_of_webhook"), *WEBHOOK_RUNS)


def _ensure(db: sqlite3.Connection, newest: tuple[str, str], *statements: str) -> None:
    """Execute the statements in one transaction, unless what they create is there.

    Args:
        db: The connection.
        newest: Type and name of something that they create.
        statements: The statements.
    """
    known = "SELECT 1 FROM sqlite_schema WHERE (type, name) = (?, ?)"
    if db.execute(known, newest).fetchone():
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if not db.execute(known, newest).fetchone():
            for statement in statements:
                db.execute(statement)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
