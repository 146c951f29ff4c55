"""A terminal with a person at it: what it shows, what is typed, the mode that it is in."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.console.test_cli import RELAYLINE

WAIT_S = 10
ROWS, COLUMNS = 24, 100
_AT_THE_TERMINAL = (
    "import fcntl, os, sys, termios; "
    "fcntl.ioctl(1, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
_END = "\0end\0"
"""Comes after all that an ended command has written."""


class Terminal:
    """One command's controlling terminal."""

    def __init__(self, process: asyncio.subprocess.Process, ours: int, theirs: int) -> None:
        self.process = process
        self.shown = ""
        """All that was written to it, as it came."""
        self._ours = ours
        self._theirs = theirs
        self._changed = asyncio.Event()

    @property
    def mode(self) -> list[Any]:
        """As `termios` has it."""
        return termios.tcgetattr(self._theirs)

    def set_mode(self, mode: list[Any]) -> None:
        """As a shell does when it takes the terminal."""
        termios.tcsetattr(self._theirs, termios.TCSANOW, mode)

    def resize(self, columns: int) -> None:
        """Make it narrower or wider."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press these keys, all at once."""
        os.write(self._ours, text.encode())

    async def shows(self, words: str, after: int = 0) -> int:
        """Wait until that was written; where it ends. Search on from there."""
        async with asyncio.timeout(WAIT_S):
            while (at := self.shown.find(words, after)) < 0:
                self._changed.clear()
                await self._changed.wait()
        return at + len(words)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def enter(self, key: str, line: str) -> None:
        """Press a key that asks for a line, then type that line and Enter."""
        mark = len(self.shown)
        self.type(key)
        await self.shows("▏", mark)
        self.type(line)
        if line:
            await self.shows(line, mark)
        self.type("\n")

    async def ended(self) -> int:
        """The exit code, once all that was written has been read."""
        code = await asyncio.wait_for(self.process.wait(), WAIT_S)
        os.write(self._theirs, _END.encode())
        await self.shows(_END)
        self.shown = self.shown.replace(_END, "")
        return code

    def read(self) -> None:
        """Take what was written."""
        self.shown += os.read(self._ours, 65536).decode()
        self._changed.set()


@asynccontextmanager
async def at_terminal(*words: str, piped: bytes | None = None) -> AsyncIterator[Terminal]:
    """Start a command at a terminal of its own; it is killed at the end if it still runs.

    Args:
        words: The command line.
        piped: What comes from its stdin, if that is a pipe and not the terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    given = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _AT_THE_TERMINAL, RELAYLINE, *words),
        stdin=theirs if piped is None else asyncio.subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
        env=given | {"TERM": "xterm", "LOGNAME": "ann", "RELAYLINE_DATA_DIR": "/proc/none"},
        start_new_session=True,
        cwd="/",
    )
    if process.stdin and piped is not None:
        process.stdin.write(piped)
        process.stdin.close()
    terminal = Terminal(process, ours, theirs)
    asyncio.get_running_loop().add_reader(ours, terminal.read)
    try:
        yield terminal
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
        os.close(theirs)
