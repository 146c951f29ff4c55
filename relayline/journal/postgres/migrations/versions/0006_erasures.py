"""Erasures: tombstones, what is still to be deleted elsewhere, and when a run expires.

The function that all versions append with refuses a run that was erased. Only a run without a
header is looked up, so that an append to any other does no more than before. An older process gets
no place for such an event, and nothing is written.
"""

from __future__ import annotations

import secrets

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BLOCK_BYTES = 64
"""Of SHA-256, for the pads of RFC 2104."""
_TABLES = """
CREATE TABLE relayline.erased (
    digest bytea PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    at_us bigint NOT NULL
);
CREATE TABLE relayline.erasures (
    run_id text COLLATE "C" PRIMARY KEY,
    begun_us bigint NOT NULL,
    checked_us bigint NOT NULL DEFAULT 0
);
CREATE INDEX erasures_by_check ON relayline.erasures (checked_us, begun_us);
CREATE TABLE relayline.erasing_key (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL
);
ALTER TABLE relayline.run_rows ADD COLUMN expires_us bigint;
CREATE INDEX rows_by_expiry ON relayline.run_rows (expires_us) WHERE expires_us IS NOT NULL;
CREATE FUNCTION relayline.digest_of(p_run text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(outer_pad || sha256(inner_pad || convert_to(p_run, 'UTF8')))
    FROM relayline.erasing_key
$$;
"""
_NEW_HEADER = """\
        SELECT * INTO header FROM relayline.runs WHERE run_id = p_run FOR NO KEY UPDATE;
    END IF;
"""
_NEW_OR_ERASED = """\
        SELECT * INTO header FROM relayline.runs WHERE run_id = p_run FOR NO KEY UPDATE;
        IF NOT FOUND OR EXISTS (
            SELECT 1 FROM relayline.erased WHERE digest = relayline.digest_of(p_run)
        ) THEN
            DELETE FROM relayline.runs WHERE run_id = p_run;
            refusal := 'erased';
            RETURN;
        END IF;
    END IF;
"""


def upgrade() -> None:
    """Create the tables and the key of this journal, and teach the appends."""
    database = op.get_bind()
    for statement in filter(str.strip, _TABLES.split(";\n")):
        database.exec_driver_sql(statement)
    key = secrets.token_bytes(_BLOCK_BYTES)
    pads = tuple(bytes(byte ^ pad for byte in key).hex() for pad in (0x36, 0x5C))
    database.exec_driver_sql(
        "INSERT INTO relayline.erasing_key (inner_pad, outer_pad)"  # noqa: S608  hexadecimal
        f" VALUES (decode('{pads[0]}', 'hex'), decode('{pads[1]}', 'hex'))"
    )
    append = database.exec_driver_sql(
        "SELECT pg_get_functiondef('relayline.append_events'::regproc)"
    ).scalar_one()
    if append.count(_NEW_HEADER) != 1:
        raise RuntimeError("relayline.append_events is not as this migration knows it")
    database.exec_driver_sql(append.replace(_NEW_HEADER, _NEW_OR_ERASED))
