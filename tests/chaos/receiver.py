"""A receiver of webhooks that is down half of the time and then as good as its word."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from random import Random

from standardwebhooks import Webhook, WebhookVerificationError

from tests.chaos.observed import Observed
from tests.chaos.told import Told, expected
from tests.webhooks.receiving import Got, Writer, answers, receiving

DOWN_S, UP_S = 4.0, 4.0
"""How long it is down, and up, by turns, if nobody says else."""
_TROUBLES = ("500 Oh", "503 Later", "429 Slow", "302 Elsewhere")


class ChaosReceiver:
    """Keeps what came, run by run; while it is down it takes nothing."""

    def __init__(self, seed: int, down_s: float) -> None:
        self.url = ""
        self.secret = ""
        self._told: defaultdict[str, list[Told]] = defaultdict(list)
        self._random = Random(f"{seed}/receiver")  # noqa: S311
        self._down_s = down_s
        self._began = time.monotonic()
        self._honest = False
        self._open = AsyncExitStack()

    async def open(self) -> None:
        """Listen."""
        self.url = (await self._open.enter_async_context(receiving(self._answer))).url

    async def close(self) -> None:
        """Listen no more."""
        await self._open.aclose()

    def recover(self) -> None:
        """Be up from now on."""
        self._honest = True

    def told_of(self, run_id: str) -> list[Told]:
        """What came of that run."""
        return self._told[run_id]

    async def hears(self, run: Observed) -> None:
        """Return once it has taken all that it must be told of the run."""
        wanted = {*expected(run)}
        while wanted - {it.seq for it in self.told_of(run.run_id) if it.taken}:
            await asyncio.sleep(0.1)

    async def _answer(self, got: Got, writer: Writer) -> None:
        down = (time.monotonic() - self._began) % (self._down_s + UP_S) < self._down_s
        trouble = None
        if not self._honest and (down or self._random.random() < 0.1):
            trouble = self._random.choice((*_TROUBLES, ""))
        data = got.told["data"]
        self._told[data["run_id"]].append(
            Told(
                got.id,
                data["seq"],
                got.told["type"],
                got.body.decode(),
                trouble is None,
                _verified(self.secret, got),
            )
        )
        if trouble != "":
            await answers(trouble or "200 OK")(got, writer)


def _verified(secret: str, got: Got) -> bool:
    try:
        Webhook(secret).verify(got.body, got.headers)
    except WebhookVerificationError:
        return False
    return True
