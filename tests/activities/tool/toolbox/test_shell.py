"""`run_command` runs real processes and leaves none behind."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from relayline.activities.tool.toolbox.shell import MAX_OUTPUT_BYTES
from relayline.catalog.tools import Tool, ToolError
from tests.activities.tool.toolbox.conftest import FakeContext

pytestmark = pytest.mark.usefixtures("no_bubblewrap")
"""With it, a command does not know the pids that these tests look for."""


@pytest.fixture
def run(tools: dict[str, Tool], context: FakeContext) -> Run:
    return lambda command: str(tools["run_command"].function(context=context, command=command))


Run = Callable[[str], str]


def alive(pid: int) -> bool:
    """True while the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def ended(pid: int, within_s: float = 3) -> bool:
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def pid_in(file: Path, within_s: float = 5) -> int:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{file} was not written")


def test_output_of_both_kinds_and_the_exit_code_come_back(run: Run, root: Path) -> None:
    assert run("pwd; echo err >&2; exit 3") == f"exit code 3\n{root}\nerr\n"


def test_a_command_that_closes_its_output_is_still_waited_for(run: Run, root: Path) -> None:
    assert run("exec >&- 2>&-; sleep 0.3; touch late") == "exit code 0\n"
    assert (root / "late").exists()


def test_secrets_of_the_worker_do_not_reach_a_command(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    assert "very-secret" not in run("env")
    assert "PATH=" in run("env")


def test_long_output_is_cut_and_says_so(run: Run) -> None:
    output = run("head -c 300000 /dev/zero | tr '\\0' x")
    assert len(output) < MAX_OUTPUT_BYTES + 200
    assert f"{300_000 - MAX_OUTPUT_BYTES} more bytes" in output


def test_what_a_command_left_in_the_background_ends_with_it(run: Run, root: Path) -> None:
    began = time.monotonic()
    assert run("sleep 60 & echo $! > pid; yes & echo started").startswith("exit code 0")
    assert time.monotonic() - began < 5
    assert ended(pid_in(root / "pid"))


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_the_whole_process_group_dies_when_the_call_is_cancelled(
    run: Run, root: Path, context: FakeContext, trap: str
) -> None:
    failures: list[ToolError] = []

    def call() -> None:
        try:
            run(f"{trap}sh -c '{trap}echo $$ > child; while :; do sleep 0.2; done' & wait; wait")
        except ToolError as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    child = pid_in(root / "child")
    assert alive(child)
    context.cancel()
    thread.join(8)
    assert not thread.is_alive()
    assert ended(child)
    assert "cancelled" in str(failures[0])


def test_a_command_that_can_not_be_started_says_why(run: Run, root: Path) -> None:
    os.rmdir(root)
    with pytest.raises(ToolError, match="can't be run"):
        run("true")
