"""A worker process's part in the watch: it beats, and takes over from workers that do not."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple
from uuid import uuid4

from temporalio.client import Client

from relayline.activities.presence import Presence
from relayline.activities.tool.served.figures import McpFigures
from relayline.runtime.beats.heart import Heart, Pulse
from relayline.runtime.beats.takeover import Takeover
from relayline.runtime.beats.window import Timing
from relayline.runtime.liveness import Liveness
from relayline.runtime.process import build_beats
from relayline.runtime.settings import Settings
from relayline.spending import Spending


class Vitals(NamedTuple):
    """What is seen of a worker: by its supervisor, by the other workers, and in its metrics."""

    liveness: Liveness
    presence: Presence
    spending: Spending | None = None
    served: McpFigures | None = None


def new_identity() -> str:
    """A name for this process that no earlier one had: `PID@HOST/…`."""
    return f"{os.getpid()}@{socket.gethostname()}/{uuid4().hex[:8]}"


@asynccontextmanager
async def watching(client: Client, settings: Settings, liveness: Liveness) -> AsyncIterator[Vitals]:
    """Beat under the client's identity and watch the other workers, whatever their queues.

    The worker runs within the block: at its end, what it was given too late goes to others.

    Raises:
        JournalUnavailable: the first beat can't be written.
    """
    timing = Timing(settings.beat_s, settings.patience_s)
    heart = Heart(partial(build_beats, settings), client.identity, timing)
    liveness.watch(heart.problem)
    presence = Presence(client.identity, heart.tell, heart.release)
    takeover = Takeover(client, heart)

    def report(pulse: Pulse) -> None:
        presence.heed(able=pulse.able, told=pulse.told, stood=pulse.stood)
        takeover.heed(pulse)

    async with takeover.running(), heart.beating(report, lambda: presence.busy):
        try:
            yield Vitals(liveness, presence)
        finally:
            await takeover.look_behind()
