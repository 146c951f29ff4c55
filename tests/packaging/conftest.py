"""The wheel of this checkout, made once for each test process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.packaging.venvs import ROOT, Venv, ran, required


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made as `pip wheel .` makes it, without pip."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel")
    ran(*build, "--directory", str(folder), cwd=ROOT)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Venv:
    """What `pip install relayline` makes."""
    made = Venv(tmp_path_factory.mktemp("light") / "venv", required(wheel))
    made.install(wheel)
    return made
