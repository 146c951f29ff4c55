"""A command reads nothing of its worker and leaves nothing behind, with bubblewrap or without."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relayline.activities.tool.toolbox import isolation
from relayline.activities.tool.toolbox.folder import Folder
from relayline.activities.tool.toolbox.isolation import bubblewrap
from relayline.activities.tool.toolbox.shell import run_command_in
from relayline.catalog.tools import ToolError
from relayline.runtime.hiding import without_secrets
from relayline.runtime.settings import BadSettings, Settings
from relayline.worker import run as run_worker
from tests.activities.tool.toolbox.conftest import FakeContext
from tests.activities.tool.toolbox.test_shell import alive, ended, pid_in

VALUE = "sk-0123456789abcdef0123"
_WORKER = """
import sys
from pathlib import Path
from relayline.activities.tool.toolbox.folder import Folder
from relayline.activities.tool.toolbox.shell import run_command_in
from relayline.runtime.hiding import hide_memory

class Context:
    cancelled = False
    tenant = None

hide_memory()
tool = run_command_in(Folder(Path(sys.argv[1])))
print(tool.function(context=Context(), command=sys.argv[2]))
"""


@pytest.fixture(params=["plain", "bubblewrap"])
def kind(request: pytest.FixtureRequest) -> str:
    """How commands are kept apart."""
    if request.param == "plain":
        request.getfixturevalue("no_bubblewrap")
    elif not bubblewrap():
        pytest.skip("bubblewrap is not installed, or can't make namespaces here")
    return str(request.param)


def worker(root: Path, command: str) -> subprocess.Popen[str]:
    """A process that has a secret in its environment, and runs that command as a tool."""
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(root), command],
        env=os.environ | {"OPENAI_API_KEY": VALUE},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_command_reads_no_environment_of_its_worker(kind: str, root: Path) -> None:
    look = (
        'p=$$; while [ "$p" -gt 1 ]; do tr "\\0" "\\n" < /proc/$p/environ; '
        'p=$(cut -d")" -f2 /proc/$p/stat | cut -d" " -f3); '
        f'[ "$p" = {os.getpid()} ] && break; done; echo looked'
    )
    with worker(root, look) as process:
        said = process.communicate(timeout=20)[0]
    assert VALUE not in said
    assert "PATH=" in said
    assert "looked" in said


def test_no_daemon_outlives_its_command(kind: str, root: Path, context: FakeContext) -> None:
    tool = run_command_in(Folder(root))
    daemon = (
        "import os,time\nos.fork() and os._exit(0)\nos.setsid()\nos.fork() and os._exit(0)\n"
        "for fd in range(3): os.close(fd)\n"
        "time.sleep(0.3)\nopen('left','w').close()\ntime.sleep(60)"
    )
    command = f'{sys.executable} -S -c "{daemon}"; echo started'
    said = str(tool.function(context=context, command=command))
    assert said == "exit code 0\nstarted\n"
    time.sleep(0.5)
    assert not (root / "left").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a guard needs Linux")
def test_a_command_and_its_daemons_end_with_a_killed_worker(kind: str, root: Path) -> None:
    beat = "while :; do date > beat; sleep 0.1; done"
    process = worker(root, f"setsid sh -c 'trap \"\" TERM; {beat}' & echo $$ > pid; {beat}")
    pid = pid_in(root / "pid", 10)
    assert kind == "bubblewrap" or alive(pid)
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()
    time.sleep(3)
    (root / "beat").unlink(missing_ok=True)
    time.sleep(0.5)
    assert not (root / "beat").exists()
    assert kind == "bubblewrap" or ended(pid)


def test_an_exit_by_a_signal_and_the_limits_are_told(
    kind: str, root: Path, context: FakeContext
) -> None:
    tool = run_command_in(Folder(root))
    assert "core file size" in str(
        tool.function(context=context, command="grep core /proc/self/limits || ulimit -c")
    ).replace("Max core", "core")
    command = "ulimit -c; kill -KILL $$"
    said = str(tool.function(context=context, command=command))
    assert said.endswith("\n0\n")
    number = signal.SIGKILL
    assert said.startswith((f"exit code -{number}\n", f"exit code {128 + number}\n"))


def test_a_command_without_network_reaches_no_one_or_does_not_run(
    kind: str, root: Path, context: FakeContext
) -> None:
    tool = run_command_in(Folder(root), network=False)
    if kind == "plain":
        with pytest.raises(ToolError, match="COMMAND_NETWORK=0 needs bubblewrap"):
            tool.function(context=context, command="true")
        return
    said = str(tool.function(context=context, command="grep -c : /proc/net/dev"))
    assert said == "exit code 0\n1\n", "loopback alone"


@pytest.mark.usefixtures("no_bubblewrap")
async def test_a_worker_whose_commands_need_bubblewrap_does_not_start_without_it() -> None:
    settings = Settings(allow_commands=True, command_network=False)
    with pytest.raises(BadSettings, match="RELAYLINE_COMMAND_NETWORK is 0, but bubblewrap"):
        async with asyncio.timeout(10):
            await run_worker(settings)


def test_programs_that_need_no_secret_get_none() -> None:
    secret = {"OPENAI_API_KEY": "x", "RELAYLINE_JOURNAL": "x", "GITHUB_TOKEN": "x"}
    assert without_secrets(secret | {"PATH": "/bin", "HOME": "/"}) == {"PATH": "/bin", "HOME": "/"}


def test_a_missing_bubblewrap_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bubblewrap.cache_clear()
    assert shutil.which("bwrap") is None
    assert isolation.bubblewrap() is None
    bubblewrap.cache_clear()
