"""The Dockerfile fits the checkout, and the wheel that it builds has everything in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.deploy.files import ROOT, dockerfile, instruction

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINKED = ("activities", "api", "workflows", "worker.py")


def test_every_stage_that_is_copied_from_exists_and_only_the_first_has_tools() -> None:
    stages = [rest.partition(" AS ") for word, rest in dockerfile() if word == "FROM"]
    assert [name for _, _, name in stages] == ["builder", "runtime"]
    assert len({image for image, _, _ in stages}) == 1
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image) for image, _, _ in stages)
    copies = [rest for word, rest in dockerfile() if word == "COPY"]
    assert copies == [". .", "--from=builder /opt/relayline /opt/relayline"]
    runtime = dockerfile()[[word for word, _ in dockerfile()].index("COPY") + 3 :]
    assert not [rest for word, rest in runtime if word == "RUN" and "pip" in rest]


def test_it_runs_as_nobody_in_particular_and_stops_as_we_do() -> None:
    user, _, group = instruction("USER").partition(":")
    assert user == group
    assert int(user) > 999, "a number: Kubernetes can then see that it is not root"
    assert f"--uid {user} " in next(rest for word, rest in dockerfile() if "useradd" in rest)
    assert instruction("STOPSIGNAL") == "SIGTERM"
    [script] = json.loads(instruction("ENTRYPOINT"))
    assert script in PROJECT["project"]["scripts"]
    assert "/healthz" in instruction("HEALTHCHECK")


def test_what_the_wheel_is_made_of_reaches_the_build_and_secrets_do_not() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith(("#", "!"))]

    def ignored(name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in patterns)

    project = PROJECT["project"]
    needed = [
        "relayline",
        *LINKED,
        "pyproject.toml",
        "constraints.txt",
        project["readme"],
        *project["license-files"],
    ]
    assert not [name for name in needed if ignored(name) or not (ROOT / name).exists()]
    for name in (".env", ".git", ".venv", ".relayline", "tests", "docs"):
        assert ignored(name)


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


def ran(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
