"""A checkout is what containers can read, on Windows, too, and keeps what is secret out of Git."""

from __future__ import annotations

import os
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploy.files import ROOT

READ_BY_CONTAINERS = [*sorted((ROOT / "deploy").iterdir()), ROOT / "Dockerfile"]


def _git(folder: Path, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ("git", *arguments)
    return subprocess.run(
        command, cwd=folder, env=kept, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With this one's rules, and nothing in it."""
    _git(tmp_path, "init", "--quiet")
    for name in (".gitattributes", ".gitignore"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def test_what_containers_read_has_the_line_ends_of_linux_on_windows(repository: Path) -> None:
    for source in READ_BY_CONTAINERS:
        (repository / source.name).write_bytes(source.read_bytes())
    _git(repository, "add", "--all")
    for source in READ_BY_CONTAINERS:
        (repository / source.name).unlink()
    as_on_windows = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf")
    _git(repository, *as_on_windows, "checkout", "--", ".")
    for source in READ_BY_CONTAINERS:
        assert (repository / source.name).read_bytes() == source.read_bytes()
        assert b"\r" not in source.read_bytes()


def test_passwords_and_keys_stay_out_of_git(repository: Path) -> None:
    for name in (".env", ".env.example"):
        (repository / name).touch()
    status = _git(repository, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert "?? .env.example" in status
    assert "?? .env" not in status


def test_what_commands_of_the_docs_leave_behind_stays_out_of_git_and_images(
    repository: Path,
) -> None:
    told = (ROOT / "docs" / "operate" / "deploy.md").read_text()
    left = {*re.findall(r"--wheel-dir (\w+)", told), *re.findall(r"> (\w+\.dump)", told)}
    assert left >= {"wheels", "relayline.dump"}
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    for name in left:
        (repository / name).mkdir()
        (repository / name / "made").touch()
        assert any(fnmatch(name, pattern) for pattern in patterns)
    status = _git(repository, "status", "--porcelain").splitlines()
    assert status == ["?? .gitattributes", "?? .gitignore"]
