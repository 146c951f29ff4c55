"""Fetches files for models, by the rules of `fetch_url`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from relayline.activities.files.file_loading import Fetch
from relayline.activities.tool.toolbox.web import TIMEOUT_S, check_status, opened
from relayline.catalog.tools import ToolError

_FRAMES = 2
"""The lengths of chunks may take as much as what is in them, not more."""


def fetch_with(allowed: Collection[str], max_bytes: int) -> Fetch:
    """Opens URLs at public addresses, and at the allowed hosts.

    Args:
        allowed: As for `fetch_url`.
        max_bytes: The largest answer.
    """
    listed = frozenset(host.lower() for host in allowed)

    @asynccontextmanager
    async def fetch(url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                opened(url, listed, _FRAMES * max_bytes) as (reply, target),
            ):
                check_status(reply, target)
                yield reply.aiter_raw()
        except TimeoutError:
            raise ToolError(f"{url[:200]!r} took longer than {TIMEOUT_S} s") from None

    return fetch
