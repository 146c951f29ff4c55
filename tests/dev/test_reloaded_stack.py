"""`relayline dev` loads a changed catalog again, or leaves everything as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.dev.dev_process import options, running_dev, told_pids, until
from tests.dev.test_reload import MODULE, write_catalog
from tests.dev_stack import alive

pytestmark = pytest.mark.stack


async def test_a_changed_catalog_restarts_the_workers_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_catalog(tmp_path, monkeypatch, "")
    with_catalog = options(tmp_path / "data", catalog=MODULE)
    async with running_dev(with_catalog) as _:
        before = told_pids(tmp_path / "data")
        (tmp_path / f"{MODULE}.py").write_text("x = 1\n")
        await until(lambda: told_pids(tmp_path / "data")[2:] != before[2:], 20)
        await until((tmp_path / "data" / "drained").exists, 5)
        after = told_pids(tmp_path / "data")
        assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False]
        assert all(map(alive, after))
    assert f"{MODULE}.py changed: the workers are started again" in capsys.readouterr().err


async def test_without_reload_a_changed_catalog_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_temporal: str
) -> None:
    write_catalog(tmp_path, monkeypatch, "")
    without = options(tmp_path / "data", catalog=MODULE, reload=False)
    async with running_dev(without):
        before = told_pids(tmp_path / "data")
        (tmp_path / f"{MODULE}.py").write_text("x = 1\n")
        await asyncio.sleep(2)
        assert told_pids(tmp_path / "data") == before
