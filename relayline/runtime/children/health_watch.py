"""Replaces a child that still runs but does not work any more."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from relayline.runtime.children.child import Child

EVERY_S = 1.0
"""Seconds between two probes."""
FIRST_S = 0.1
"""The same, until the child has once been healthy."""
ANSWER_S = 3.0
"""Seconds that a child has to answer a probe."""
PATIENCE_S = 20.0
"""A child that has been healthy is replaced after so long without a good answer."""
START_S = 120.0
"""A child that has never been healthy is replaced after so long."""


class HealthWatch:
    """Asks a child for its health, and kills it when it stays unhealthy; it is then restarted."""

    def __init__(self, child: Child, port: int) -> None:
        """Watch a child that answers `GET /healthz` on a loopback port."""
        self._child = child
        self._port = port

    async def run(self) -> None:
        """Watch without end.

        Only time between probes that follow each other counts: if this process itself was stopped,
        or its machine slept, the child gets all of its time again.
        """
        loop = asyncio.get_running_loop()
        known, patience_s, ill_s, before = self._child.pid, START_S, 0.0, loop.time()
        while True:
            await asyncio.sleep(EVERY_S if self._child.worked else min(FIRST_S, EVERY_S))
            pid = self._child.pid
            if pid != known:
                known, patience_s, ill_s = pid, START_S, 0.0
            elif await self._healthy():
                self._child.worked = True
                patience_s, ill_s = PATIENCE_S, 0.0
            else:
                passed_s = loop.time() - before
                ill_s = ill_s + passed_s if passed_s < EVERY_S + 2 * ANSWER_S else 0.0
                if ill_s >= patience_s and pid == self._child.pid:
                    self._child.replace(f"did not work for {ill_s:.0f} s")
                    ill_s = 0.0
            before = loop.time()

    async def _healthy(self) -> bool:
        """Whether it answers 200 in time."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
                    status = (await reader.readline()).split(b" ")
                finally:
                    writer.close()
            return status[1:2] == [b"200"]
        return False
