"""The longest that one attempt of a model call may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relayline.activities.model.port import Prompt, ProviderError


@asynccontextmanager
async def in_time(prompt: Prompt) -> AsyncIterator[None]:
    """End what takes longer than the prompt's `timeout_s`.

    Raises:
        ProviderError: it did; a retry may help.
    """
    limit_s = prompt.settings.timeout_s
    try:
        async with asyncio.timeout(limit_s) as bound:
            yield
    except TimeoutError:
        if not bound.expired():
            raise
        text = f"{prompt.model} took longer than {limit_s:g} s (timeout_s)"
        raise ProviderError(text, retryable=True) from None
