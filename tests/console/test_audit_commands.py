"""`relayline audit`: lists rows, and tells the first that is not as it was written."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from relayline.console.commands.audit import verdict_line
from relayline.journal.access.chain import Anchor, Verdict
from tests.console.test_cli import Ended, relayline


async def ask(folder: Path, *words: str) -> Ended:
    return await relayline(*words, env={"RELAYLINE_DATA_DIR": str(folder)})


@pytest.mark.slow
async def test_keys_leave_rows_that_are_listed_and_verified(tmp_path: Path) -> None:
    made = await ask(tmp_path, "key", "create", "--name", "ann")
    key_id = made.out.split("_")[2]
    assert (await ask(tmp_path, "key", "rotate", key_id)).code == 0
    assert (await ask(tmp_path, "key", "revoke", key_id)).code == 0
    listed = (await ask(tmp_path, "audit", "list")).out.splitlines()
    assert [line.split()[2:5] for line in listed] == [
        [action, key_id, "accepted"] for action in ("key.create", "key.rotate", "key.revoke")
    ]
    assert made.out.strip() not in str(listed)
    verified = await ask(tmp_path, "audit", "verify")
    head = re.fullmatch(r"default: 3 rows hold, head (3:[0-9a-f]{64})\n", verified.out)
    assert (verified.code, bool(head)) == (0, True), verified.err
    assert head
    known = ("audit", "verify", "--tenant", "default", "--known", head[1])
    assert (await ask(tmp_path, *known)).code == 0
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        db.execute("DROP TRIGGER audit_stands")
        db.execute("UPDATE audit SET subject = 'eve' WHERE seq = 2")
    broken = await ask(tmp_path, "audit", "verify")
    assert broken.code == 1
    assert broken.out.startswith("default: broken at row 2: ")
    bad = await ask(tmp_path, "audit", "verify", "--tenant", "default", "--known", "3")
    assert "SEQ:HASH" in bad.err


def test_a_noted_place_that_was_swept_is_said_to_be_unchecked() -> None:
    begins, head = Anchor(3, "a" * 64), Anchor(5, "b" * 64)
    known = Anchor(2, "c" * 64)
    said = verdict_line(Verdict("default", begins, head, None, known))
    assert said == (
        "default: 2 rows hold, 3 swept before, row 2 (--known) was swept since: "
        f"it is not checked, head 5:{'b' * 64}"
    )
