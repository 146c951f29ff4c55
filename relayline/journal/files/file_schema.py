"""The tables of files in SQLite: older files of the journal get them on opening."""

from __future__ import annotations

FILES = (
    """
    CREATE TABLE IF NOT EXISTS files (
        file_id TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        expires_us INTEGER NOT NULL,
        key TEXT NOT NULL,
        doomed INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS files_to_expire ON files (expires_us)",
    "CREATE INDEX IF NOT EXISTS files_of_tenant ON files (tenant, size)",
    "CREATE INDEX IF NOT EXISTS files_doomed ON files (file_id) WHERE doomed = 1",
    """
    CREATE TABLE IF NOT EXISTS file_runs (
        run_id TEXT NOT NULL,
        file_id TEXT NOT NULL,
        named_us INTEGER NOT NULL,
        PRIMARY KEY (run_id, file_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS runs_of_file ON file_runs (file_id, run_id)",
)
