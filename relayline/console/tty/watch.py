"""`relayline watch` and `run --watch`: follows a run and shows it, for people or as JSON lines."""

from __future__ import annotations

from contextlib import aclosing
from typing import TextIO

from relayline.client.client import ApiClient
from relayline.client.stream import Interruption
from relayline.console.tty.narrator import Narrator, lost
from relayline.console.tty.screen import screen_for
from relayline.contracts.envelope import Envelope
from relayline.contracts.events import TERMINAL_TYPES
from relayline.contracts.runs import RunStatus


async def watch(client: ApiClient, run_id: str, out: TextIO, err: TextIO) -> RunStatus:
    """Show the run from its start to its end, as it comes; how it ended.

    Reconnects by itself. Cancelled, it gives the terminal back; the run goes on.

    Raises:
        ApiError: the run is unknown, or the API refuses.
    """
    narrator = Narrator()
    with screen_for(out, err, narrator.status_line) as screen:
        narrator.open(screen)
        return await follow(client, run_id, narrator)


async def follow(client: ApiClient, run_id: str, narrator: Narrator) -> RunStatus:
    """Tell the narrator of every event of the run; how it ended.

    Raises:
        ApiError: the run is unknown, or the API refuses.
    """
    frames = client.frames(run_id, on_interruption=narrator.interrupted)
    async with aclosing(frames):
        async for frame in frames:
            narrator.tell(Envelope.model_validate_json(frame.data))
    status = narrator.rendered.status
    return status if status.ended else (await client.get(run_id)).status


async def watch_json(client: ApiClient, run_id: str, out: TextIO, err: TextIO) -> RunStatus:
    """Write each envelope as one line, as the server sent it, and nothing else; how it ended.

    Raises:
        ApiError: the run is unknown, or the API refuses.
    """
    frames = client.frames(run_id, on_interruption=lambda cut: _aside(err, cut))
    status = None
    async with aclosing(frames):
        async for frame in frames:
            out.write(frame.data.replace("\n", " ") + "\n")
            out.flush()
            status = TERMINAL_TYPES.get(frame.event, status)
    return status or (await client.get(run_id)).status


def _aside(err: TextIO, interruption: Interruption) -> None:
    err.write(lost(interruption) + "\n")
    err.flush()
