"""Virtual environments as users have them: the wheel, and no more than what it requires.

Nothing is downloaded. What a distribution requires is linked from the environment of the tests, so
a hundred megabytes are there at once; the wheel itself is installed by pip, as a user does it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINKED = ("activities", "api", "web", "workflows", "worker.py")
"""What stands at the top of the checkout and is linked into `relayline/`."""
CLEAN = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
"""The tester's own settings and PYTHONPATH reach no process."""


def ran(*command: str | Path, cwd: Path, **env: str) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        command, cwd=cwd, env=CLEAN | env, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


class Venv:
    """An environment in a folder of its own."""

    def __init__(self, folder: Path, linked: Iterable[str] = ()) -> None:
        """Make it.

        Args:
            folder: Where; must not exist.
            linked: Distributions that are installed in it, by their names.
        """
        venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
        self.python = folder / "bin" / "python"
        [self.site] = folder.glob("lib/python*/site-packages")
        self._folder = folder
        self._links = folder / "linked"
        self._links.mkdir()
        (self.site / "linked.pth").write_text(f"{self._links}\n")
        for name in linked:
            self._link(metadata.distribution(name))

    def script(self, name: str) -> Path:
        """A console script that was installed."""
        return self._folder / "bin" / name

    def install(self, *wanted: str | Path) -> None:
        """Let pip install wheels; whatever they require must be there already."""
        self._pip("install", "--no-index", "--no-compile", *wanted)

    def uninstall(self, *names: str) -> None:
        """Let pip uninstall distributions."""
        self._pip("uninstall", "--yes", *names)

    def says(self, code: str, cwd: Path, **env: str) -> str:
        """What Python code prints, run in that folder as `python -c`; it must succeed."""
        return ran(self.python, "-c", code, cwd=cwd, **env).strip()

    def _pip(self, *words: str | Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self.python)
        ran(*pip, *words, "--quiet", "--disable-pip-version-check", cwd=self._folder)

    def _link(self, distribution: metadata.Distribution) -> None:
        for file in distribution.files or ():
            top = file.parts[0]
            if top != "..":
                link, target = self._links / top, Path(str(distribution.locate_file(top)))
            elif file.parts[-2] == "bin":
                link, target = self._folder / "bin" / file.name, Path(str(file.locate()))
            else:
                continue
            if not link.exists():
                link.symlink_to(target.resolve())


def required(wheel: Path, *extras: str) -> set[str]:
    """All distributions that the wheel with these extras requires, directly or not."""
    [description] = metadata.distributions(path=[str(wheel)])
    return _closure(description, {"", *extras})


def required_by(name: str) -> set[str]:
    """All distributions that one in the tests' own environment requires, directly or not."""
    return _closure(metadata.distribution(name), {""})


def _closure(distribution: metadata.Distribution, extras: set[str]) -> set[str]:
    found: set[str] = set()
    todo = list(_requirements(distribution, extras))
    seen: set[str] = set()
    while todo:
        wanted = todo.pop()
        if str(wanted) not in seen:
            seen.add(str(wanted))
            found.add(canonicalize_name(wanted.name))
            todo += _requirements(metadata.distribution(wanted.name), {"", *wanted.extras})
    return found


def _requirements(distribution: metadata.Distribution, extras: set[str]) -> Iterator[Requirement]:
    for wanted in map(Requirement, distribution.requires or ()):
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": it}) for it in extras):
            yield wanted


def installed_files(name: str) -> dict[str, bytes]:
    """What an installed distribution has in site-packages, without its description."""
    files = metadata.distribution(name).files or ()
    return {
        str(file): file.read_binary()
        for file in files
        if file.parts[0] != ".." and not file.match("*.dist-info/*") and file.suffix != ".pyc"
    }


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> Path:
    """Pack the files, by their paths in site-packages, into a wheel that requires nothing."""
    stem = f"{name.replace('-', '_')}-{version}"
    described = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    whole = {**files, **{f"{stem}.dist-info/{key}": described[key].encode() for key in described}}
    record = f"{stem}.dist-info/RECORD"
    whole[record] = "".join(f"{path},,\n" for path in [*whole, record]).encode()
    wheel = folder / f"{stem}-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        for path, content in whole.items():
            archive.writestr(path, content)
    return wheel
