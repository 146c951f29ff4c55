"""Sends one webhook: to a checked address, bounded in time and size, following nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module

from relayline.outbound.receiver import Place, Rules

TOTAL_S = 10.0
"""From the look-up of the address to the status of the answer."""
MAX_RETRY_AFTER = timedelta(hours=12)
GONE = 410


@dataclass(frozen=True)
class Reply:
    """What came of one try."""

    status: int | None
    """None if there was no answer."""
    took_ms: int
    error: str | None
    """Why it was no success, in one line that quotes nothing the receiver said; None if it was."""
    retry_after: timedelta | None = None
    """How long the receiver asks not to be tried, at most `MAX_RETRY_AFTER`."""
    refused: bool = False
    """True if nothing was sent because the URL may not be reached."""


class Sender:
    """Sends webhooks to receivers that the rules allow.

    Each try checks the addresses again and connects to one of those that it has checked; it has a
    client of its own, without cookies, and without a proxy from the environment.
    """

    def __init__(self, rules: Rules, total_s: float = TOTAL_S) -> None:
        """Send to whom the rules allow, and wait so long for a status."""
        self.rules = rules
        self._total_s = total_s

    async def send(self, place: Place, headers: Mapping[str, str], body: bytes) -> Reply:
        """POST the body; a success is a status of 2xx in time. Raises nothing."""
        await asyncio.to_thread(import_module, "relayline.outbound.posting")
        from relayline.outbound.posting import post  # noqa: PLC0415  it loads an HTTP client

        return await post(self.rules, self._total_s, place, headers, body)
