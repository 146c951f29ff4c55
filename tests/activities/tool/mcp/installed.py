"""Public servers that are no packages of ours: installed once, beside the environment."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(sys.prefix) / "mcp-servers"
NODE_SERVERS = {"filesystem": "2026.8.31", "memory": "2026.8.31", "everything": "2026.8.31"}
SQLITE = ("mcp-server-sqlite==2025.4.25", "mcp<2")
"""With mcp 2 it dies when it starts."""


def node_server(name: str) -> tuple[str, ...]:
    """The command of a server of npm; skips the test where there is no Node, but not in CI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Node to run MCP servers with")
        pytest.skip("there is no Node to run MCP servers with")
    wanted = [f"@modelcontextprotocol/server-{it}@{of}" for it, of in NODE_SERVERS.items()]
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix"]
    folder = once("npm", lambda at: [[*install, str(at), *wanted]])
    package = folder / "node_modules/@modelcontextprotocol" / f"server-{name}"
    return (node, str(package / "dist/index.js"))


def sqlite_server() -> tuple[str, ...]:
    """The command of a server that needs an older SDK, in an environment of its own."""

    def steps(at: Path) -> list[list[str]]:
        venv.create(at, with_pip=True)
        return [[str(at / "bin/python"), "-m", "pip", "install", "--quiet", *SQLITE]]

    return (str(once("sqlite", steps) / "bin/mcp-server-sqlite"),)


def once(name: str, steps: Callable[[Path], list[list[str]]]) -> Path:
    """A folder that is filled by the first test of all processes that wants it."""
    HERE.mkdir(exist_ok=True)
    folder = HERE / name
    with (HERE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for step in steps(folder):
                subprocess.run(step, check=True, timeout=600, stdout=subprocess.DEVNULL)
            done.touch()
    return folder
