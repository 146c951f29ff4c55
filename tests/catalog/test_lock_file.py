"""The lock file of MCP servers' tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayline.catalog.servers.lock_file import BadLockFile, read_lock, write_lock
from relayline.contracts.mcp.lock import Lock


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "mcp.lock")
    lock = Lock(servers={"docs": {"read": "0" * 64}})
    write_lock(path, lock)
    assert read_lock(path) == lock
    assert [it.name for it in tmp_path.iterdir()] == ["mcp.lock"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "there is no such file; `relayline mcp pin` makes it"),
        ("", "it can't be read"),
        ('{"servers": {"docs": 1}}', "it can't be read"),
        ('{"version": 2}', "version 2 is not known here, but 1"),
        (" " * (8 * 1024 * 1024 + 1), "larger than 8388608 bytes"),
    ],
    ids=["missing", "empty", "misshapen", "newer", "large"],
)
def test_what_is_no_lock_is_never_taken_for_one(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    path = tmp_path / "mcp.lock"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadLockFile, match=problem):
        read_lock(str(path))


def test_a_file_that_can_t_be_written_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadLockFile, match="can't be written: No such file"):
        write_lock(str(tmp_path / "none" / "mcp.lock"), Lock())
