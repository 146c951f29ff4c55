"""The statements of files: the same text for SQLite and Postgres."""

from __future__ import annotations

COLUMNS = "file_id, tenant, name, type, size, sha256, created_us, expires_us, key"
_WHOLE = "size >= 0 AND doomed = 0"
"""Of a file that is wholly there and not being erased."""

BEGIN = f"""
INSERT INTO {{s}}files ({COLUMNS}) VALUES (?, ?, ?, '', -1, '', ?, ?, ?) ON CONFLICT DO NOTHING
"""  # noqa: S608  constants only
FINISH = """
UPDATE {s}files SET type = ?, size = ?, sha256 = ?, expires_us = ?
WHERE file_id = ? AND doomed = 0 RETURNING file_id
"""
FIND = f"SELECT {COLUMNS} FROM {{s}}files WHERE file_id = ? AND {{where}} AND {_WHOLE}"  # noqa: S608
FIND_NAMED = f"""
SELECT {COLUMNS} FROM {{s}}files WHERE file_id = ? AND {_WHOLE} AND EXISTS (
    SELECT 1 FROM {{s}}file_runs r WHERE r.run_id = ? AND r.file_id = {{s}}files.file_id
)
"""  # noqa: S608  constants only
KEEP = f"""
UPDATE {{s}}files SET expires_us = CASE WHEN expires_us < ? THEN ? ELSE expires_us END
WHERE file_id = ? AND {{where}} AND {_WHOLE} RETURNING {COLUMNS}
"""  # noqa: S608  constants only
"""Whoever names a file changes its row first, so that a sweep meanwhile sees it and leaves it."""
NAME = f"""
INSERT INTO {{s}}file_runs (run_id, file_id, named_us)
SELECT CAST(? AS text), file_id, CAST(? AS bigint) FROM {{s}}files
WHERE file_id = ? AND {{where}} AND {_WHOLE} ON CONFLICT DO NOTHING
"""  # noqa: S608  constants only
KEEP_ALL = """
UPDATE {s}files SET expires_us = CASE WHEN expires_us < ? THEN ? ELSE expires_us END
WHERE file_id IN (SELECT file_id FROM {s}file_runs WHERE run_id = ?)
"""
COPY = """
INSERT INTO {s}file_runs (run_id, file_id, named_us)
SELECT CAST(? AS text), file_id, CAST(? AS bigint) FROM {s}file_runs WHERE run_id = ?
ON CONFLICT DO NOTHING
"""
HELD = f"SELECT sum(size) FROM {{s}}files WHERE {{where}} AND {_WHOLE}"  # noqa: S608
RELEASE = """
UPDATE {s}files SET expires_us = 0 WHERE file_id IN (
    SELECT file_id FROM {s}file_runs WHERE run_id = ?
) AND NOT EXISTS (
    SELECT 1 FROM {s}file_runs r WHERE r.file_id = {s}files.file_id AND r.run_id <> ?
)
"""
UNNAME = "DELETE FROM {s}file_runs WHERE run_id = ?"
UNNAME_GONE = """
DELETE FROM {s}file_runs WHERE named_us <= ? AND NOT EXISTS (
    SELECT 1 FROM {s}runs h WHERE h.run_id = {s}file_runs.run_id AND h.first_seq <= h.last_seq
)
"""
"""The names of runs that never began, or whose events were swept."""
DOOM = """
UPDATE {s}files SET doomed = 1 WHERE file_id IN (
    SELECT f.file_id FROM {s}files f WHERE f.expires_us <= ? AND f.doomed = 0 AND NOT EXISTS (
        SELECT 1 FROM {s}file_runs r WHERE r.file_id = f.file_id
    ) LIMIT ?
) AND expires_us <= ?
"""
DOOM_ALL = "UPDATE {s}files SET doomed = 1 WHERE tenant = ?"
DOOM_ONE = "UPDATE {s}files SET doomed = 1 WHERE file_id = ? AND size < 0"
DOOMED = "SELECT file_id FROM {s}files WHERE doomed = 1 LIMIT ?"
REMOVE = (
    "DELETE FROM {s}file_runs WHERE file_id = ?",
    "DELETE FROM {s}files WHERE file_id = ? AND doomed = 1",
)
