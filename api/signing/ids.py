"""Ids of runs and batches: one per `Idempotency-Key`, and nobody else can work it out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from relayline.contracts.principals import Principal
from relayline.journal.access.secret_ring import NamedSecret, SecretRing

RUNS, BATCHES = "run ids 1", "batch ids 1"
"""What the keys are derived for."""


class KeyedIds:
    """Makes ids from keys, and the ids that the same keys had under older secrets.

    With authentication on an id is `HMAC-SHA256(secret, tenant || 0 || key)`, so that nobody can
    tell which keys another tenant has used. Without, or without a secret, it is a hash of the key.
    """

    def __init__(self, ring: SecretRing) -> None:
        """Use the first secret for new ids; each of them, and none at all, for older ones.

        Args:
            ring: Empty while authentication is off.
        """
        self._runs = ring.derived(RUNS)
        self._batches = ring.derived(BATCHES)

    def run(self, key: str | None, sender: Principal) -> str:
        """The id of a new run; without a key it is random."""
        return new_run_id(None) if key is None else self.runs(key, sender)[0]

    def runs(self, key: str, sender: Principal) -> tuple[str, ...]:
        """All ids that the key may have given a run of this sender: the newest form first."""
        older = (new_run_id(key, sender.key_space), new_run_id(key))
        return self._forms("run", self._runs, sender, key, older)

    def signed_runs(self, key: str, sender: Principal) -> tuple[str, ...]:
        """Those of them that a secret gives."""
        return self._forms("run", self._runs, sender, key, ())

    def batch(self, key: str | None, sender: Principal) -> str:
        """The id of a new batch; without a key it is random."""
        return new_batch_id(None) if key is None else self.batches(key, sender)[0]

    def batches(self, key: str, sender: Principal) -> tuple[str, ...]:
        """All ids that the key may have given a batch of this sender: the newest form first."""
        older = (new_batch_id(key, sender.key_space), new_batch_id(key))
        return self._forms("batch", self._batches, sender, key, older)

    def _forms(
        self,
        prefix: str,
        secrets_: tuple[NamedSecret, ...],
        sender: Principal,
        key: str,
        older: tuple[str, ...],
    ) -> tuple[str, ...]:
        if sender.tenant is None:
            return older[:1]
        named = f"{sender.tenant}\0{key}".encode()
        signed = (hmac.digest(it.secret, named, "sha256")[:16].hex() for it in secrets_)
        return (*dict.fromkeys((*(f"{prefix}_{it}" for it in signed), *older)),)


def new_run_id(key: str | None, space: str = "") -> str:
    """`run_` and 32 hex digits: a hash of the key if there is one, else sortable by time.

    Args:
        key: The `Idempotency-Key`.
        space: As in `Principal.key_space`.
    """
    if key is not None:
        return f"run_{hashlib.sha256(f'{space}{key}'.encode()).hexdigest()[:32]}"
    return f"run_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def new_batch_id(key: str | None, space: str = "") -> str:
    """`batch_` and 32 hex digits: a hash of the key, in its space, if there is one."""
    if key is None:
        return f"batch_{secrets.token_hex(16)}"
    return f"batch_{hashlib.sha256(f'{space}batch:{key}'.encode()).hexdigest()[:32]}"
