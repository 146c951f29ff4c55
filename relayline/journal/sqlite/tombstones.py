"""Tombstones in the SQLite journal: which runs were erased, and must not come back.

All tables are additive: a file that lacks them gets them when it is opened.
"""

from __future__ import annotations

import hmac
import secrets
import sqlite3

_KEY_BYTES = 32
_SCHEMA = """
CREATE TABLE IF NOT EXISTS erased (
    digest BLOB PRIMARY KEY,
    tenant TEXT NOT NULL,
    at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erasures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    begun_us INTEGER NOT NULL,
    checked_us INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS erasing_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL
);
ALTER TABLE run_rows ADD COLUMN expires_us INTEGER;
CREATE INDEX IF NOT EXISTS rows_by_expiry ON run_rows (expires_us) WHERE expires_us IS NOT NULL
"""


def tombstone_statements() -> list[str]:
    """The statements that add the tables, with a key of its own, to a file with a runs table."""
    key = secrets.token_hex(_KEY_BYTES)
    return [
        *_SCHEMA.split(";"),
        f"INSERT OR IGNORE INTO erasing_key (id, key) VALUES (1, x'{key}')",  # noqa: S608  hexadecimal
    ]


def digest_of(db: sqlite3.Connection, run_id: str) -> bytes:
    """HMAC-SHA-256 of the id under the key of this journal."""
    (key,) = db.execute("SELECT key FROM erasing_key").fetchone()
    return hmac.digest(key, run_id.encode("utf-8", "surrogatepass"), "sha256")


def erased_tenant(db: sqlite3.Connection, run_id: str) -> str | None:
    """The tenant of the erased run; None if no such run was erased."""
    asked = (digest_of(db, run_id),)
    found = db.execute("SELECT tenant FROM erased WHERE digest = ?", asked).fetchone()
    return found[0] if found else None
