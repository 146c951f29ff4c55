"""The checker is known to catch what it is for: each breakage is named, not timed out."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.chaos.agents import FOLDER, MARKING
from tests.chaos.checker import check
from tests.chaos.mutants import GUARDED, MUTANTS, SCENES, Guarded, Mutant
from tests.chaos.observed import Observed, effects_of
from tests.chaos.samples import RUN
from tests.chaos.scenes import Scene, played
from tests.chaos.tree import PATCHES, broken

QUICK = [it for it in MUTANTS if it.quick]
LONG = [it for it in MUTANTS if not it.quick]
NAMES = [*(it.patch for it in MUTANTS), *(it.patch for it in GUARDED)]


@pytest.fixture(autouse=True)
def _uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage is of the source tree, not of broken copies of it."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)


async def named(mutant: Mutant, folder: Path) -> set[str]:
    """The promises that the checker says are broken."""
    tree = broken(folder / "tree", mutant.patch)
    if not isinstance(mutant.scene, str):
        found = await played(mutant.scene, folder / "data", PYTHONPATH=str(tree))
        return {violation.check for violation in found}
    said = await bench(mutant.scene, tree, folder)
    if mutant.scene == "judge":
        return {line.partition(":")[0] for line in said.splitlines()}
    journal = SqliteJournal(folder / "journal.db")
    stored = await journal.read(EVERY, RUN)
    await journal.close()
    run = Observed(RUN, stored, effects=effects_of(folder / RUN), marking=MARKING)
    return {violation.check for violation in check([run])}


async def bench(command: str, tree: Path, folder: Path) -> str:
    """What `tests.chaos.bench` of that tree prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "tests.chaos.bench",
        command,
        str(folder),
        cwd=folder,
        env={"PYTHONPATH": str(tree), FOLDER: str(folder)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


def test_there_is_a_mutant_for_every_patch_and_a_patch_for_every_mutant() -> None:
    assert {*NAMES} == {file.stem for file in PATCHES.glob("*.patch")}


@pytest.mark.slow
@pytest.mark.parametrize("patch", NAMES)
def test_every_patch_still_applies(tmp_path: Path, patch: str) -> None:
    broken(tmp_path / "tree", patch)


@pytest.mark.stack
@pytest.mark.timeout(150)  # a few seconds, and what a busy machine adds
@pytest.mark.parametrize("mutant", QUICK, ids=[it.patch for it in QUICK])
async def test_a_breakage_is_caught_by_the_check_that_is_for_it(
    tmp_path: Path, mutant: Mutant
) -> None:
    assert mutant.check in await named(mutant, tmp_path)


@pytest.mark.chaos
@pytest.mark.stack
@pytest.mark.timeout(150)
@pytest.mark.parametrize("mutant", GUARDED, ids=[it.patch for it in GUARDED])
async def test_a_breakage_that_no_promise_shows_is_caught_by_the_test_that_is_for_it(
    tmp_path: Path, mutant: Guarded
) -> None:
    tree = broken(tmp_path / "tree", mutant.patch, tests=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"),
        mutant.test,
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == pytest.ExitCode.TESTS_FAILED, said.decode()


@pytest.mark.chaos
@pytest.mark.stack
@pytest.mark.timeout(180)
@pytest.mark.parametrize("mutant", LONG, ids=[it.patch for it in LONG])
async def test_a_breakage_that_takes_its_time_is_caught_by_the_check_that_is_for_it(
    tmp_path: Path, mutant: Mutant
) -> None:
    assert mutant.check in await named(mutant, tmp_path)


@pytest.mark.chaos
@pytest.mark.stack
@pytest.mark.timeout(180)
@pytest.mark.parametrize("scene", SCENES, ids=[it.__name__ for it in SCENES])
async def test_the_same_load_breaks_nothing_without_the_breakage(
    tmp_path: Path, scene: Scene
) -> None:
    assert await played(scene, tmp_path / "data") == []
