"""`relayline watch` and `run --watch`: follows a run and shows it, for people or as JSON lines."""

from __future__ import annotations

import re
from typing import TextIO

from relayline.client import AsyncRun, AsyncStream
from relayline.console.tty.lines import broken_off, notice
from relayline.console.tty.live import screen_for
from relayline.console.tty.narrator import Narrator
from relayline.contracts.runs import RunStatus

_CONTROL = re.compile("[\x7f-\x9f]")
"""What JSON does not escape by itself."""


async def watch(run: AsyncRun, out: TextIO, err: TextIO) -> RunStatus:
    """Show the run as it happens, from its start to its end; the status at the end.

    Reconnects by itself. Restores the terminal when cancelled; the run continues.

    Raises:
        RelaylineError: the run is unknown, or the API refuses.
    """
    narrator = Narrator()
    with screen_for(out, err, narrator.status_line) as screen:
        narrator.open(screen)
        return await follow(run, narrator)


async def follow(run: AsyncRun, narrator: Narrator) -> RunStatus:
    """Tell the narrator every event of the run; the status at the end.

    Raises:
        RelaylineError: the run is unknown, or the API refuses.
    """
    async with run.stream(on_retry=narrator.broken_off) as stream:
        async for event in stream:
            narrator.tell(event)
    return await _status(stream)


async def watch_json(run: AsyncRun, out: TextIO, err: TextIO) -> RunStatus:
    """Write each envelope as one line, with the server's own JSON; the status at the end.

    What else there is to say, as about lost connections, is written to `err`.

    Raises:
        RelaylineError: the run is unknown, or the API refuses.
    """
    async with run.stream(on_retry=lambda retry: _write(err, broken_off(retry.reason))) as stream:
        async for event in stream:
            if event.is_notice:
                _write(err, notice(event))
            else:
                _write(out, json_line(event.raw))
    return await _status(stream)


def json_line(raw: str) -> str:
    """The JSON on one line, with escapes for characters that could control a terminal."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", raw.replace("\n", " "))


async def _status(stream: AsyncStream) -> RunStatus:
    return stream.status if stream.status.ended else (await stream.run.get()).status


def _write(file: TextIO, line: str) -> None:
    file.write(line + "\n")
    file.flush()
