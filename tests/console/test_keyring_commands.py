"""`relayline keyring tenant`: on the journal itself, with the keys that are set."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import RunFilter
from tests.console.test_cli import Ended, relayline
from tests.journal.tenants.keeping import FIRST, row, said

pytestmark = pytest.mark.slow

KEYS = {"RELAYLINE_PAYLOAD_KEYS": FIRST.key("first").entry()}


async def keyring(folder: Path, *words: str, **env: str) -> Ended:
    return await relayline(
        "keyring", "tenant", *words, env={"RELAYLINE_DATA_DIR": str(folder), **KEYS, **env}
    )


async def test_a_key_is_made_listed_and_erased(tmp_path: Path) -> None:
    made, refused = await asyncio.gather(
        keyring(tmp_path, "create", "acme"),
        keyring(tmp_path, "create", "beta", RELAYLINE_PAYLOAD_KEYS=""),
    )
    assert made.code == 0, made.err
    assert made.out.startswith("acme: tk_")
    assert (refused.code, "RELAYLINE_PAYLOAD_KEYS" in refused.err) == (1, True)
    listed = (await keyring(tmp_path, "list")).out
    assert listed.split()[0::2][:2] == ["acme", "active"]
    assert "wrapped by first" in listed
    journal = SqliteJournal(tmp_path / "journal.db", FIRST)
    try:
        await said(journal)
        no_terminal = await keyring(tmp_path, "erase", "acme")
        assert (no_terminal.code, "pass --yes" in no_terminal.err) == (1, True)
        begun = await keyring(tmp_path, "erase", "acme", "--yes", "--no-wait")
        assert (begun.code, begun.out) == (0, "acme is being erased\n"), begun.err
        waiting = asyncio.create_task(keyring(tmp_path, "erase", "acme"))
        assert await journal.erase_runs("acme", 10) == 1
        assert await journal.count_runs("acme", RunFilter()) == {}
        await journal.tenant_keys.finish_erasing("acme", row("tenant-key.erased"))
        done = await waiting
        assert (done.code, done.out) == (0, "acme is erased\n"), done.err
        told = [it.row.action for it in await journal.audit.sealed("acme", 0, 10)]
        assert told[:2] == ["tenant-key.create", "tenant-key.erase"]
    finally:
        await journal.close()
    again = await keyring(tmp_path, "create", "acme")
    assert (again.code, "nothing is accepted for that name" in again.err) == (1, True)


async def test_what_can_not_be_is_said_in_one_line(tmp_path: Path) -> None:
    for words, said_ in (
        (("create", "No Tenant"), "use a-z, 0-9 and -"),
        (("erase", "nobody", "--yes"), "nobody has no key"),
    ):
        ended = await keyring(tmp_path, *words)
        assert ended.code != 0
        assert said_ in ended.err
