"""Logs of `relayline dev` never grow without bound, and their writer never notices."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from relayline.dev.logs import rotate, rotate_logs


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def test_three_files_of_a_log_are_kept_and_its_writer_goes_on(tmp_path: Path) -> None:
    (tmp_path / "small.log").write_text("small")
    with (tmp_path / "api.log").open("ab", buffering=0) as log:
        for number in range(5):
            log.write(b"%d" % number * 101)
            rotate(tmp_path, max_bytes=100)
        log.write(b"last")
    assert sizes(tmp_path) == {"api.log": 4, "api.log.1": 100, "api.log.2": 100, "small.log": 5}
    assert (tmp_path / "api.log").read_text() == "last"
    assert (tmp_path / "api.log.1").read_text() == "4" * 100
    assert (tmp_path / "api.log.2").read_text() == "3" * 100


def test_of_a_flood_the_newest_is_kept(tmp_path: Path) -> None:
    (tmp_path / "api.log").write_text("old" * 1000 + "new")
    rotate(tmp_path, max_bytes=10)
    assert (tmp_path / "api.log.1").read_text() == ("old" * 1000 + "new")[-10:]


async def test_logs_that_can_not_be_rotated_are_reported_once(tmp_path: Path) -> None:
    (tmp_path / "api.log").touch()
    os.truncate(tmp_path / "api.log", 10_000_001)
    (tmp_path / "api.log.1").mkdir()
    (tmp_path / "api.log.2").write_text("in the way of a folder")
    told: list[str] = []
    rotating = asyncio.create_task(rotate_logs(tmp_path, told.append, look_s=0.01))
    await asyncio.sleep(0.3)
    rotating.cancel()
    [report] = told
    assert f"logs in {tmp_path} can't be rotated" in report
