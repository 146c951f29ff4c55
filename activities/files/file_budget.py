"""The memory of a worker for files."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FileBudget:
    """Lends bytes; who asks for more than are left waits, first come, first served."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lent = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        """Hold so many bytes, at most `limit`, for the block."""
        await self._take(size)
        try:
            yield
        finally:
            self.lent -= size
            self._wake()

    async def _take(self, size: int) -> None:
        if not self._waiting and self.lent + size <= self.limit:
            self.lent += size
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.lent -= size  # it was lent just now
            else:
                self._waiting.remove((size, turn))
            self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting and self.lent + self._waiting[0][0] <= self.limit:
            size, turn = self._waiting.popleft()
            self.lent += size
            turn.set_result(None)
