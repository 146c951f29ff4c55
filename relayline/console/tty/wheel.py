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

from relayline.client.client import ApiClient
from relayline.client.errors import ApiError
from relayline.console.steer import login
from relayline.console.tty.keys import Keys, Remark
from relayline.console.tty.narrator import Narrator
from relayline.console.tty.screen import can_be_live, live_screen
from relayline.console.tty.watch import follow
from relayline.contracts.commands import AnyCommand
from relayline.contracts.runs import RunStatus

_READ_BYTES = 65536


def steerable(keyboard: TextIO, out: TextIO) -> bool:
    """True when somebody sits at a terminal, to read and to type, with us in the foreground."""
    return keyboard.isatty() and can_be_live(out) and _in_foreground(keyboard.fileno())


async def watch_and_steer(
    client: ApiClient, run_id: str, out: TextIO, keyboard: TextIO
) -> RunStatus:
    """Show the run to its end and send it what the person types; how it ended.

    The terminal is given back as it was, also when this is cancelled, as SIGTERM does.

    Raises:
        ApiError: the run is unknown, or the API refuses to show it.
    """
    wheel = _Wheel(client, run_id, out)
    sender = asyncio.create_task(wheel.send())
    try:
        with _cancelled_by_sigterm(), wheel.screen, _typing(keyboard.fileno(), wheel.typed):
            return await follow(client, run_id, wheel.narrator)
    finally:
        sender.cancel()
        with suppress(asyncio.CancelledError):
            await sender


class _Wheel:
    """What is typed, on its way to the run; the events that come of it tell what it did."""

    def __init__(self, client: ApiClient, run_id: str, out: TextIO) -> None:
        self._client = client
        self._run_id = run_id
        self._keys = Keys(login())
        self._commands: asyncio.Queue[AnyCommand] = asyncio.Queue()
        self.narrator = Narrator()
        self.screen = live_screen(out, self._status, lambda: self._keys.prompt)
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
        """Send the commands, in order, for ever."""
        while True:
            command = await self._commands.get()
            try:
                await self._client.command(self._run_id, command)
            except ApiError as error:
                self.screen.line(f"✗ {command.kind.value}: {error}", "red")

    def _status(self) -> str:
        return f"{self.narrator.status_line()}\n{self._keys.hint(self.narrator.rendered)}"


@contextmanager
def _cancelled_by_sigterm() -> Iterator[None]:
    """SIGTERM cancels this task, so that everything is given back."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


@contextmanager
def _typing(keyboard: int, typed: Callable[[str], None]) -> Iterator[None]:
    """Have keys as they are typed, and not shown; at the end the terminal is as it was."""
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
    """False when another job has the terminal: then it is not ours to read or to change."""
    try:
        return os.tcgetpgrp(keyboard) == os.getpgrp()
    except OSError:
        return True  # a terminal without job control
