"""Copies of the source tree, with a deliberate breakage in each."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATCHES = Path(__file__).parent / "mutants"
_CODE = ("relayline", "workflows", "activities", "api")
_FOLDERS = (*_CODE, "tests/chaos", "tests/runs")


def copied(folder: Path, *, tests: bool = False) -> Path:
    """Everything that processes of a stack import, in that folder, which must not exist.

    With `tests` also what the tests need.
    """
    skipped = shutil.ignore_patterns("__pycache__", "*.json", "*.patch")
    for name in (*_CODE, "tests") if tests else _FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=skipped, symlinks=True)
    for file in (*ROOT.glob("*.py"), *(ROOT / "tests").glob("*.py"), ROOT / "pyproject.toml"):
        shutil.copy(file, folder / file.relative_to(ROOT))
    return folder


def broken(folder: Path, patch: str, *, tests: bool = False) -> Path:
    """A copy with that patch applied.

    Raises:
        CalledProcessError: the patch does not apply; its `stderr` says where.
    """
    tree = copied(folder, tests=tests)
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", str(PATCHES / f"{patch}.patch")],
        cwd=tree,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)},
        check=True,
        capture_output=True,
        text=True,
    )
    return tree
