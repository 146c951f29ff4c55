"""The sources of the page, and what runs them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
SCRIPTS = sorted(path for path in WEB.rglob("*.js") if "vendor" not in path.parts)
STYLES = sorted(WEB.rglob("*.css"))
_IMPORT = re.compile(
    r'^(?:import|export)\b[^;"]*?from\s*"([^"]+)"|^import\s*"([^"]+)"|await import\("([^"]+)"\)',
    re.MULTILINE,
)


def imports(path: Path) -> Iterator[Path]:
    """The files that a module imports, at once or when they are needed."""
    for found in _IMPORT.finditer(path.read_text()):
        yield (path.parent / (found[1] or found[2] or found[3])).resolve()


def program(*names: str) -> str:
    """The path of the first of these programs that is there; in CI one must be.

    Without it a newcomer's test is skipped.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail(f"there is no {names[0]}: .ci/run installs it")
    pytest.skip(f"there is no {names[0]}")


def copied_model(folder: Path) -> Path:
    """A copy of the pure modules that every Node reads as modules."""
    shutil.copytree(WEB / "model", folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder
