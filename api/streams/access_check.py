"""Looks at open streams again: those whose credentials have ended or were revoked must end, too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from relayline.api.auth.bearer import Access
from relayline.api.streams.open_stream import Opened

INTERVAL_S = 30.0
_log = logging.getLogger(__name__)


class AccessCheck:
    """Checks the credentials of all open streams every 30 s, each credential once.

    Costs nothing while authentication is off.
    """

    def __init__(self, streams: Collection[Opened]) -> None:
        self.interval_s = INTERVAL_S
        self._streams = streams
        self._task: asyncio.Task[None] | None = None

    def entered(self, stream: Opened) -> None:
        """A stream has started."""
        if stream.access is not None and self._task is None:
            self._task = asyncio.create_task(self._check_again(), name="access of streams")

    def stop(self) -> None:
        """No stream is left."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _check_again(self) -> None:
        while True:
            await asyncio.sleep(self.interval_s)
            try:
                await self._check()
            except Exception:  # noqa: BLE001  told, and looked at again: others must not live on
                _log.exception("the access of open streams was not checked")

    async def _check(self) -> None:
        held: dict[str, Access] = {}
        for stream in tuple(self._streams):
            if stream.access is not None:
                held[stream.access.credential] = stream.access
        ended = {text for text, access in held.items() if not await access.stands()}
        for stream in tuple(self._streams) if ended else ():
            if stream.access is not None and stream.access.credential in ended:
                stream.finish()
