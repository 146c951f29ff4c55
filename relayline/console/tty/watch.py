"""`relayline watch` and `run --watch`: follows a run and shows it, for people or as JSON lines."""

from __future__ import annotations

from typing import TextIO

from relayline.client import AsyncRun, AsyncStream
from relayline.console.tty.lines import broken_off, notice
from relayline.console.tty.narrator import Narrator
from relayline.console.tty.screen import screen_for
from relayline.contracts.runs import RunStatus


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
    """Write each envelope as one line, as the server sent it; the status at the end.

    What else there is to say, as about lost connections, is written to `err`.

    Raises:
        RelaylineError: the run is unknown, or the API refuses.
    """
    async with run.stream(on_retry=lambda retry: _write(err, broken_off(retry.reason))) as stream:
        async for event in stream:
            if event.is_notice:
                _write(err, notice(event))
            else:
                _write(out, event.raw.replace("\n", " "))
    return await _status(stream)


async def _status(stream: AsyncStream) -> RunStatus:
    return stream.status if stream.status.ended else (await stream.run.get()).status


def _write(file: TextIO, line: str) -> None:
    file.write(line + "\n")
    file.flush()
