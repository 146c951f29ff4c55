"""The tool `run_command`: a shell command; all processes that it starts end with the call."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress

from relayline.activities.tool.toolbox.folder import Folder
from relayline.activities.tool.toolbox.isolation import TERM_GRACE_S, isolated
from relayline.catalog.tools import Tool, ToolContext, ToolError, tool

TIMEOUT_S = 600
MAX_OUTPUT_BYTES = 128 * 1024
_END_S = TERM_GRACE_S + 6
"""How long a command may take to end, with everything that it has started."""
_POLL_S = 0.05
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
"""Environment variables that a command inherits from the worker: none that may be secret."""

_Command = subprocess.Popen[bytes]


def run_command_in(folder: Folder, *, network: bool = True) -> Tool:
    """`run_command` in that folder.

    Args:
        folder: Where commands run.
        network: Whether they may use the network.
    """

    @tool(timeout_s=TIMEOUT_S, retries=0, effects="unsafe", approval="always")
    def run_command(context: ToolContext, command: str) -> str:
        """Run a shell command (/bin/sh) in the files root; returns its exit code and output.

        All processes that it has started end with it.
        """
        return _run(context, folder, command, network=network)

    return run_command


def _run(context: ToolContext, folder: Folder, command: str, *, network: bool) -> str:
    """Run the command apart, and end everything that it has started."""
    try:
        running = subprocess.Popen(  # noqa: S603  a person has approved this command
            isolated(("/bin/sh", "-c", command), network=network),
            cwd=folder.of(context.tenant).root,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ToolError(f"the command can't be run: {reason}", retryable=False) from error
    with running:
        try:
            output = _output(context, running)
        finally:
            _end_group(running)
    if context.cancelled:
        raise ToolError("the command was cancelled", retryable=False)
    return f"exit code {running.returncode}\n{output}"


def _output(context: ToolContext, running: _Command) -> str:
    """The output until the command ends or is cancelled; only the first 128 KiB are kept."""
    kept, total, ended = bytearray(), 0, False
    while not context.cancelled:
        chunk = _chunk(running)
        kept += chunk[: MAX_OUTPUT_BYTES - len(kept)]
        total += len(chunk)
        if ended and not chunk:
            break
        if not ended and running.poll() is not None:
            ended = True
            _signal(running, signal.SIGKILL)  # background processes keep the pipe open
    text = kept.decode("utf-8", "replace")
    cut = total - len(kept)
    return f"{text}\n[output cut: {cut} more bytes]" if cut else text


def _chunk(running: _Command) -> bytes:
    """The next piece of output, empty if there was none for `_POLL_S`."""
    if running.stdout is None:
        return b""
    poll = select.poll()
    poll.register(running.stdout, select.POLLIN)
    if not poll.poll(_POLL_S * 1000):
        return b""
    chunk = os.read(running.stdout.fileno(), 65_536)
    if not chunk and running.poll() is None:
        time.sleep(_POLL_S)  # it has closed its output but still runs
    return chunk


def _end_group(running: _Command) -> None:
    """End the whole process group: with SIGTERM if the command still runs, then with SIGKILL."""
    if running.poll() is None:
        _signal(running, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            running.wait(_END_S)
    _signal(running, signal.SIGKILL)
    running.wait()


def _signal(running: _Command, number: signal.Signals) -> None:
    """Signal the process group, which may have ended already."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, number)
