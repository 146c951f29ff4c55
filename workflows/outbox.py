"""Facts that the workflow decided and that no activity has confirmed yet. Pure."""

from __future__ import annotations

from contracts.envelope import NewEvent, Outbox


class PendingFacts:
    """Facts and seals wait here until an activity that carried them has returned.

    Carrying one twice is harmless: every fact has a key, and a seal stays shut.
    """

    def __init__(self) -> None:
        self._facts: dict[str, NewEvent] = {}
        self._seals: dict[str, None] = {}

    def add(self, *facts: NewEvent) -> None:
        """Facts to be shown after those already here; a key that is here stays as it is."""
        for fact in facts:
            if fact.key is None:
                raise ValueError(f"a fact needs a key: {fact!r}")
            self._facts.setdefault(fact.key, fact)

    def seal(self, scope: str) -> None:
        """No attempt may write under `scope` any more."""
        self._seals[scope] = None

    def cargo(self) -> Outbox:
        """Everything that waits, for the next activity to carry."""
        return Outbox(facts=tuple(self._facts.values()), seals=tuple(self._seals))

    def delivered(self, cargo: Outbox) -> None:
        """An activity that carried `cargo` returned: that much is in the journal."""
        for fact in cargo.facts:
            self._facts.pop(fact.key or "", None)
        for scope in cargo.seals:
            self._seals.pop(scope, None)

    @property
    def empty(self) -> bool:
        """True when nothing waits."""
        return not self._facts and not self._seals
