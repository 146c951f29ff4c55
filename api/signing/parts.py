"""What is made with the deployment's secret, besides keys and tokens."""

from __future__ import annotations

from dataclasses import dataclass

from relayline.api.signing.cursors import PURPOSE as CURSORS
from relayline.api.signing.cursors import Cursors
from relayline.api.signing.ids import KeyedIds
from relayline.contracts.access.proofs import PURPOSE as COMMANDS
from relayline.contracts.access.proofs import CommandProofs
from relayline.journal.access.secret_ring import SecretRing


@dataclass(frozen=True)
class Signing:
    """The same in every process that has the same secrets."""

    ids: KeyedIds
    cursors: Cursors
    proofs: CommandProofs

    @classmethod
    def of(cls, ring: SecretRing) -> Signing:
        """All of it; with an empty ring nothing is signed, as while authentication is off."""
        return cls(KeyedIds(ring), Cursors(ring.keys(CURSORS)), CommandProofs(ring.keys(COMMANDS)))
