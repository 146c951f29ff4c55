"""Facts of the workflow that no activity has confirmed yet. Pure."""

from __future__ import annotations

from collections import deque
from itertools import accumulate

from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.keys import AGENT_PREFIX, COMMAND_PREFIX, QUEUED_KEY, WAITING_PART

MAX_CARGO_BYTES = 512 * 1024
"""The most facts that one activity carries; Temporal allows 2 MiB of arguments."""
MAX_KNOWN = 100
"""Keys to remember in case an operator resets the run."""
MAX_CARGOES_BYTES = 1024 * 1024
"""The most that activities started together carry; Temporal allows 4 MiB per request."""

_WITHOUT_EPOCH = (AGENT_PREFIX, COMMAND_PREFIX)


class PendingFacts:
    """Facts and seals that wait until an activity that carried them has returned.

    It is harmless to carry one twice: every fact has a key, and seals are idempotent.
    """

    def __init__(self) -> None:
        self._facts: dict[str, NewEvent] = {}
        self._sizes: dict[str, int] = {}
        self._seals: dict[str, None] = {}
        self._carried: set[str] = set()
        self.known: deque[str] = deque(maxlen=MAX_KNOWN)
        """Keys of the newest facts that activities carry or will write.

        Left out are those of facts that follow from signals, as of commands and of what runs below
        wait for: Temporal repeats signals after a reset, before the run knows of that, so such a
        key could belong to a fact that the reset made void.
        """
        self.fresh = False
        """True while something waits that no activity carries yet."""

    def add(self, *facts: NewEvent) -> None:
        """Add facts after the pending ones; a key that is already pending is ignored."""
        for fact in facts:
            if fact.key is None:
                raise ValueError(f"a fact needs a key: {fact!r}")
            if fact.key not in self._facts:
                self._facts[fact.key] = fact
                self._sizes[fact.key] = _size(fact)
                self.fresh = True

    def seal(self, scope: str) -> None:
        """Close a fence scope: no attempt may write under it any more."""
        self._seals[scope] = None
        self.fresh = True

    def cargo(self) -> Outbox:
        """The pending facts and seals for the next activity, up to `MAX_CARGO_BYTES`."""
        sums = dict(zip(self._facts, accumulate(self._sizes.values()), strict=True))
        first = next(iter(sums), None)
        keys = [key for key, size in sums.items() if key == first or size <= MAX_CARGO_BYTES]
        self.fresh = len(keys) < len(self._facts)
        fresh = (key for key in keys if key not in self._carried)
        self.known.extend(key for key in fresh if not _is_repeated(key))
        self._carried.update(keys)
        return Outbox(facts=tuple(self._facts[key] for key in keys), seals=tuple(self._seals))

    def delivered(self, cargo: Outbox) -> None:
        """Remove `cargo`, because the activity that carried it has returned."""
        for fact in cargo.facts:
            self._facts.pop(fact.key or "", None)
            self._sizes.pop(fact.key or "", None)
            self._carried.discard(fact.key or "")
        for scope in cargo.seals:
            self._seals.pop(scope, None)

    def overflows(self, carriers: int = 1) -> bool:
        """True when `carriers` activities, started together, can't each carry everything."""
        size = sum(self._sizes.values())
        if carriers > 1:
            return size * carriers > MAX_CARGOES_BYTES
        return len(self._facts) > 1 and size > MAX_CARGO_BYTES

    def rename(self, before: str, after: str) -> None:
        """Replace the key prefix `before` with `after` in facts that no activity carries.

        Facts that an activity carried or was to write keep their keys: it may have written them.
        """
        fresh = [key for key in self._facts if key not in {*self._carried, *self.known}]
        for key in [key for key in fresh if key.startswith(before)]:
            renamed = after + key.removeprefix(before)
            self._facts[renamed] = self._facts.pop(key).model_copy(update={"key": renamed})
            self._sizes[renamed] = self._sizes.pop(key)

    @property
    def empty(self) -> bool:
        """True when nothing waits."""
        return not self._facts and not self._seals


def _is_repeated(key: str) -> bool:
    """True if signals that Temporal repeats after a reset lead to the same key."""
    return key.startswith(_WITHOUT_EPOCH) or WAITING_PART in key


def _size(fact: NewEvent) -> int:
    """In bytes, as Temporal stores it.

    `run.queued`, a few kilobytes at most, counts as nothing: histories that were recorded without
    it would need one activity more where the input only just fits.
    """
    return 0 if fact.key == QUEUED_KEY else len(fact.model_dump_json().encode())
