"""Steering in place: a person at the terminal types while the run is shown there."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from relayline.client import AsyncRun, RelaylineError
from relayline.console.steer import login
from relayline.console.tty.keys import Keys, Remark
from relayline.console.tty.live import can_be_live, live_screen
from relayline.console.tty.narrator import Narrator
from relayline.console.tty.watch import follow
from relayline.contracts.commands import AnyCommand
from relayline.contracts.runs import RunStatus

_READ_BYTES = 65536


@contextmanager
def keyboard_for(given: TextIO | None, out: TextIO) -> Iterator[int | None]:
    """The terminal at which a person can type while the run is shown on `out`.

    That is `given`, which is stdin, or, where that is a pipe or a file, the terminal that we run
    in. None where nobody can: there is no terminal, or we are in the background.
    """
    if not can_be_live(out):
        yield None
    elif given and given.isatty():
        yield given.fileno() if _in_foreground(given.fileno()) else None
    else:
        try:
            terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        except OSError:  # there is none
            yield None
            return
        try:
            yield terminal if _in_foreground(terminal) else None
        finally:
            os.close(terminal)


async def watch_and_steer(run: AsyncRun, out: TextIO, keyboard: int) -> RunStatus:
    """Show the run to its end and send it what the person types; the status at the end.

    Restores the terminal, also when cancelled, as SIGTERM does.

    Raises:
        RelaylineError: the run is unknown, or the API refuses to show it.
    """
    wheel = _Wheel(run, out)
    sender = asyncio.create_task(wheel.send())
    try:
        with _cancelled_by_sigterm(), _typing(keyboard, wheel.typed), wheel.screen:
            return await follow(run, wheel.narrator)
    finally:
        sender.cancel()
        with suppress(asyncio.CancelledError):
            await sender


class _Wheel:
    """Sends what is typed to the run; the run's events tell what it did."""

    def __init__(self, run: AsyncRun, out: TextIO) -> None:
        self._run = run
        self._keys = Keys(login())
        self._commands: asyncio.Queue[AnyCommand] = asyncio.Queue()
        self.narrator = Narrator()
        self.screen = live_screen(out, self._status, lambda: self._keys.prompt, self._page)
        self.narrator.open(self.screen)

    def typed(self, text: str) -> None:
        """Take what was typed at once."""
        match self._keys.type(text, self.narrator.rendered):
            case Remark(words):
                self.screen.line(f"✗ {words}", "yellow")
            case None:
                self.screen.refresh()
            case command:
                self._commands.put_nowait(command)
                self.screen.refresh()

    async def send(self) -> None:
        """Send the commands, in order, until cancelled."""
        while True:
            command = await self._commands.get()
            try:
                await self._run.send(command)
            except RelaylineError as error:
                self.screen.line(f"✗ {command.kind.value}: {error}", "red")

    def _page(self, width: int, height: int) -> list[str] | None:
        pager = self._keys.pager
        return pager.page(width, height) if pager else None

    def _status(self) -> str:
        return f"{self.narrator.status_line()}\n{self._keys.hint(self.narrator.rendered)}"


@contextmanager
def _cancelled_by_sigterm() -> Iterator[None]:
    """SIGTERM cancels this task, so that the terminal is restored."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


@contextmanager
def _typing(keyboard: int, typed: Callable[[str], None]) -> Iterator[None]:
    """Read keys as they are typed, without echo; restore the terminal at the end."""
    loop = asyncio.get_running_loop()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read() -> None:
        try:
            data = os.read(keyboard, _READ_BYTES)
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            loop.remove_reader(keyboard)
        if text := decoder.decode(data):
            typed(text)

    def come_back() -> None:
        if _in_foreground(keyboard):
            tty.setcbreak(keyboard)

    mode = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        loop.add_reader(keyboard, read)
        loop.add_signal_handler(signal.SIGCONT, come_back)
        yield
    finally:
        loop.remove_signal_handler(signal.SIGCONT)
        loop.remove_reader(keyboard)
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(keyboard, termios.TCSADRAIN, mode)


def _in_foreground(keyboard: int) -> bool:
    """False when another job has the terminal: then we must not read or change it."""
    try:
        return os.tcgetpgrp(keyboard) == os.getpgrp()
    except OSError:
        return True  # a terminal without job control
