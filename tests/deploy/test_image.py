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

from tests.deploy.files import ROOT, dockerfile, instruction

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PARTS = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


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
        *PARTS,
        "pyproject.toml",
        "constraints.txt",
        project["readme"],
        *project["license-files"],
    ]
    assert not [name for name in needed if ignored(name) or not (ROOT / name).exists()]
    for name in (".env", ".git", ".venv", ".relayline", "tests", "docs"):
        assert ignored(name)


def test_the_wheel_has_every_file_of_the_packages(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir")
    built = subprocess.run([*build, tmp_path, ROOT], check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    found = [ROOT / part for part in PARTS]
    files = {path for part in found for path in ([part] if part.is_file() else part.rglob("*"))}
    expected = {
        str(path.relative_to(ROOT)) for path in files if path.is_file() and path.suffix != ".pyc"
    }
    assert packed == expected


def test_every_part_of_the_program_is_in_the_wheel() -> None:
    checked = PROJECT["tool"]["mypy"]
    modules = {f"{module}.py" for module in checked["modules"]}
    assert set(PARTS) == {*modules, *checked["packages"]} - {"tests", "benchmarks"}
