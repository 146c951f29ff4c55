"""Facts that the workflow decided and that no activity has confirmed yet. Pure."""

from __future__ import annotations

from collections import deque
from itertools import accumulate

from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.keys import COMMAND_PREFIX

MAX_CARGO_BYTES = 512 * 1024
"""Of the facts that one activity carries; Temporal takes 2 MiB of arguments."""
MAX_KNOWN = 100
"""Keys that are remembered for the case that an operator resets the run."""
MAX_CARGOES_BYTES = 1024 * 1024
"""Of what activities carry that start together; Temporal takes 4 MiB at a time."""


class PendingFacts:
    """Facts and seals wait here until an activity that carried them has returned.

    Carrying one twice is harmless: every fact has a key, and a seal stays shut.
    """

    def __init__(self) -> None:
        self._facts: dict[str, NewEvent] = {}
        self._sizes: dict[str, int] = {}
        self._seals: dict[str, None] = {}
        self._carried: set[str] = set()
        self.known: deque[str] = deque(maxlen=MAX_KNOWN)
        """Keys of the newest facts that activities were given, or are to write.

        Without those of commands, which are the same in every epoch: where Temporal gives a run
        that was reset a command once more, they would tell of what was reset.
        """
        self.fresh = False
        """True while something waits that no activity has been given yet."""

    def add(self, *facts: NewEvent) -> None:
        """Facts to be shown after those already here; a key that is here stays as it is."""
        for fact in facts:
            if fact.key is None:
                raise ValueError(f"a fact needs a key: {fact!r}")
            if fact.key not in self._facts:
                self._facts[fact.key] = fact
                self._sizes[fact.key] = len(fact.model_dump_json().encode())
                self.fresh = True

    def seal(self, scope: str) -> None:
        """No attempt may write under `scope` any more."""
        self._seals[scope] = None
        self.fresh = True

    def cargo(self) -> Outbox:
        """What waits, for the next activity to carry; the oldest part of it if it is too much."""
        sums = dict(zip(self._facts, accumulate(self._sizes.values()), strict=True))
        first = next(iter(sums), None)
        keys = [key for key, size in sums.items() if key == first or size <= MAX_CARGO_BYTES]
        self.fresh = len(keys) < len(self._facts)
        fresh = (key for key in keys if key not in self._carried)
        self.known.extend(key for key in fresh if not key.startswith(COMMAND_PREFIX))
        self._carried.update(keys)
        return Outbox(facts=tuple(self._facts[key] for key in keys), seals=tuple(self._seals))

    def delivered(self, cargo: Outbox) -> None:
        """An activity that carried `cargo` returned: that much is in the journal."""
        for fact in cargo.facts:
            self._facts.pop(fact.key or "", None)
            self._sizes.pop(fact.key or "", None)
            self._carried.discard(fact.key or "")
        for scope in cargo.seals:
            self._seals.pop(scope, None)

    def overflows(self, carriers: int = 1) -> bool:
        """Whether that many activities, started together, can't each carry all that waits."""
        size = sum(self._sizes.values())
        if carriers > 1:
            return size * carriers > MAX_CARGOES_BYTES
        return len(self._facts) > 1 and size > MAX_CARGO_BYTES

    def rename(self, before: str, after: str) -> None:
        """Let the keys that begin with `before` begin with `after`, where no activity has them.

        Those that an activity was to write keep theirs: it may have written them.
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
