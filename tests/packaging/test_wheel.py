"""The wheel is one package, `relayline`, with all its files, whatever it is built from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.venvs import LINKED, ROOT, ran


def files_of_the_package() -> set[str]:
    """Every file below `relayline/`, the linked ones by the names that they are imported as."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "relayline", *LINKED],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    links = {f"relayline/{name}" for name in LINKED}
    return {
        name if name.startswith("relayline/") else f"relayline/{name}"
        for name in listed
        if name not in links and (ROOT / name).exists()
    }


def packed(wheel: Path) -> set[str]:
    """The files in a wheel, its own description left out."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_every_link_leads_to_what_it_is_named_after() -> None:
    links = {
        path.name: path.readlink() for path in (ROOT / "relayline").iterdir() if path.is_symlink()
    }
    assert links == {name: Path("..") / name for name in LINKED}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["from the checkout", "from the sdist"])
def test_the_wheel_is_one_package_with_all_its_files(tmp_path: Path, way: str) -> None:
    source = ROOT
    if way == "from the sdist":
        run = [sys.executable, "-m", "hatchling", "build", "--target", "sdist"]
        ran(*run, "--directory", str(tmp_path), cwd=ROOT)
        [source] = tmp_path.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    ran(*pip, "--wheel-dir", str(tmp_path), str(source), cwd=tmp_path)
    [wheel] = tmp_path.glob("*.whl")
    assert packed(wheel) == files_of_the_package()
