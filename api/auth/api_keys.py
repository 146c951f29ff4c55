"""Proves who asks by an API key: its hash in the store, cached for seconds."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from relayline.api.auth.port import KeysUnavailable, Unauthenticated
from relayline.contracts.envelope import moment
from relayline.contracts.principals import Principal
from relayline.journal.access.api_keys import NO_PEPPER, ApiKeys, Rehashed, StoredKey
from relayline.journal.access.issuing import PURPOSE
from relayline.journal.access.key_text import KeyParts, parse_key
from relayline.journal.access.secret_ring import NamedSecret, SecretRing
from relayline.journal.port import JournalUnavailable

FRESH_S = 10.0
"""How long an answer of the store is used: revoking a key takes effect within it."""
PATIENCE_S = 15 * 60.0
"""How long a key still holds after the store last said so, while the store does not answer."""
LOOK_UP_S = 1.0
"""The most that a request with such a key waits for the store."""
RETRY_S = 2.0
"""Seconds after a failed look-up in which such keys are not looked up again."""
NOTE_S = 60.0
"""Seconds between two notes of when a key was used last."""
MAX_KNOWN = 10_000
_NOTHING = "0" * 64
"""Compared with where there is no hash, so that an unknown key costs the same as any other."""
_log = logging.getLogger(__name__)


class _Known(NamedTuple):
    """What the store said."""

    key: StoredKey | None
    principal: Principal | None
    at_s: float


class KeyAuthenticator:
    """`Authenticator` of API keys.

    An unknown, a revoked, an expired and a wrong key cost the same: one look-up in the cache or the
    store, and one HMAC.
    """

    def __init__(
        self, keys: ApiKeys, ring: SecretRing, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        peppers = ring.derived(PURPOSE)
        self._newest = peppers[0] if peppers else NamedSecret(NO_PEPPER, b"")
        self._peppers = {pepper.id: pepper.secret for pepper in peppers}
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Known]] = {}
        self._retry_at_s = 0.0
        self._used: dict[str, int] = {}
        self._rehashed: dict[str, Rehashed] = {}
        self._noting: asyncio.Task[None] | None = None

    async def principal(self, credential: str) -> Principal:
        """As in the port."""
        parts = parse_key(credential)
        if parts is None:
            raise Unauthenticated
        known = await self._current(parts.key_id)
        key, now_us = known.key, time.time_ns() // 1000
        pepper = self._peppers.get(key.pepper_id if key else NO_PEPPER, self._newest.secret)
        same = hmac.compare_digest(parts.hashed(pepper), key.hash if key else _NOTHING)
        if not same or key is None or known.principal is None or not key.holds(now_us):
            raise Unauthenticated
        self._note(key, parts, now_us)
        return known.principal

    async def holds(self, key_id: str) -> bool:
        """True while the key with that id is valid, for what was signed with its consent.

        Raises:
            KeysUnavailable: as in `principal`.
        """
        key = (await self._current(key_id)).key
        return key is not None and key.holds(time.time_ns() // 1000)

    async def close(self) -> None:
        """Write what is noted; ask nothing any more."""
        tasks = [*self._asking.values(), *([self._noting] if self._noting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._write_notes()

    async def _current(self, key_id: str) -> _Known:
        known = self._known.get(key_id)
        if known is None or self._clock() - known.at_s >= FRESH_S:
            return await self._refreshed(key_id, known)
        return known

    async def _refreshed(self, key_id: str, known: _Known | None) -> _Known:
        """What the store says now; while it does not answer, what it said before.

        Raises:
            KeysUnavailable: it does not answer, and did not lately say that the key holds.
        """
        lately = known and known.key and self._clock() - known.at_s < PATIENCE_S
        if known and lately and self._clock() < self._retry_at_s:
            return known
        try:
            async with asyncio.timeout(LOOK_UP_S if lately else None):
                return await asyncio.shield(self._looked_up(key_id))
        except (JournalUnavailable, TimeoutError) as error:
            self._retry_at_s = self._clock() + RETRY_S
            if known and lately:
                return known
            raise KeysUnavailable("the store of API keys did not answer; try again") from error

    def _looked_up(self, key_id: str) -> asyncio.Task[_Known]:
        """The look-up of the key; all who wait for it share one."""
        task = self._asking.get(key_id)
        if task is None:
            task = self._asking[key_id] = asyncio.create_task(self._look_up(key_id))
            task.add_done_callback(lambda done: self._asked(key_id, done))
        return task

    def _asked(self, key_id: str, done: asyncio.Task[_Known]) -> None:
        del self._asking[key_id]
        if not done.cancelled():
            done.exception()  # who waits has it; there may be nobody left

    async def _look_up(self, key_id: str) -> _Known:
        at_s = self._clock()
        key = await self._keys.find(key_id)
        known = self._known[key_id] = _Known(key, _principal(key) if key else None, at_s)
        self._known.move_to_end(key_id)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return known

    def _note(self, key: StoredKey, parts: KeyParts, now_us: int) -> None:
        """Remember that the key was used, to write it later."""
        last_us = self._used.get(key.key_id, key.last_used_us or 0)
        if now_us - last_us < NOTE_S * 1_000_000:
            return
        self._used[key.key_id] = now_us
        newest = self._newest
        if key.pepper_id != newest.id:
            hashed = parts.hashed(newest.secret)
            self._rehashed[key.key_id] = Rehashed(key.key_id, key.pepper_id, newest.id, hashed)
        if self._noting is None:
            self._noting = asyncio.create_task(self._write_later(), name="note used keys")

    async def _write_later(self) -> None:
        await asyncio.sleep(NOTE_S / 4)
        self._noting = None
        await self._write_notes()

    async def _write_notes(self) -> None:
        """Write when keys were used; also their hashes with the newest pepper."""
        used, rehashed = self._used, [*self._rehashed.values()]
        self._used, self._rehashed = {}, {}
        try:
            await self._keys.note_used(used)
            await self._keys.rehash(rehashed)
        except JournalUnavailable as error:  # the next use is noted again
            _log.info("last use of keys not noted", extra={"reason": str(error)})


def _principal(key: StoredKey) -> Principal:
    expires_at = None if key.expires_us is None else moment(key.expires_us)
    return Principal(key.name, key.tenant, key.scopes, "key", key.key_id, expires_at)
