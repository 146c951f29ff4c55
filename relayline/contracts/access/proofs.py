"""Proofs of who sent a command: Temporal does not tell a workflow who has signalled it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

from relayline.contracts.commands import AnyCommand, Decide
from relayline.contracts.events import EventBody

BY_TEMPORAL = "temporal"
"""The sender of what came through Temporal itself: its cancel request, its Web UI, its CLI."""
HEADER = "relayline-proof"
"""The header of a signal that has the proof."""
PURPOSE = "commands 1"
"""What the keys are derived for."""
BATCH_CANCEL = "batch.cancel"
"""The kind of a batch's cancel, where the digest asks for one."""
MAX_PROOF_CHARS = 128
"""Of a header; a longer one is cut, and proves nothing."""


def digest_of(kind: str, payload: object) -> str:
    """SHA-256 of a command: its kind, and its payload as JSON with sorted keys; hexadecimal.

    It is that of the payload as sent, so that both sides agree whatever versions they have.
    """
    text = json.dumps([kind, payload], sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def carried(digest: str, proof: str) -> str:
    """Digest and proof as one text, as they go with each fact of a command."""
    return f"{digest}.{proof}"


class CommandProofs:
    """Proves that a command was sent by whoever has the secret.

    A proof holds for one run, one command and its fields, among them `command_id`, `by` and
    `on_behalf_of`: nothing of it can be changed, and it is worth nothing elsewhere.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """Sign with the first key; each of them verifies.

        Args:
            keys: Derived for `PURPOSE`; without any, nothing is signed and nothing holds.
        """
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        """True if there is a key."""
        return bool(self._keys)

    def sign(self, run_id: str, command: AnyCommand) -> str:
        """The proof of a command to that run; empty without a key."""
        payload = command.model_dump(mode="json")  # as whoever receives it decodes it
        return self.sign_digest(run_id, digest_of(command.kind.value, payload))

    def sign_digest(self, target: str, digest: str) -> str:
        """The same, of a digest; `target` is the run or the batch."""
        return _mac(self._keys[0], target, digest) if self._keys else ""

    def holds(self, target: str, digest: str, proof: str) -> bool:
        """True if the proof was made for that target and that digest."""
        given = proof.encode("utf-8", "replace")
        found = [
            hmac.compare_digest(_mac(key, target, digest).encode(), given) for key in self._keys
        ]
        return any(found)

    def holds_carried(self, run_id: str, text: str) -> bool:
        """The same, of a text that `carried` has made."""
        digest, _, proof = text.partition(".")
        return self.holds(run_id, digest, proof)


def unproven(command: AnyCommand, *, needed: bool) -> AnyCommand:
    """The command as a run must take it that came without a proof.

    Args:
        command: The command.
        needed: True if the run was submitted with authentication on.
    """
    changes: dict[str, object] = {"key_id": ""} if isinstance(command, Decide) else {}
    if needed:
        said = command.by if command.by != BY_TEMPORAL else ""
        changes |= {"by": BY_TEMPORAL, "on_behalf_of": said or command.on_behalf_of}
        changes["verified"] = False
    return command.model_copy(update=changes) if changes else command


def unverified(body: EventBody) -> EventBody:
    """The fact as it must read when nothing proves who sent its command.

    `by` is Temporal; what the payload says of the sender stands in `on_behalf_of`.
    """
    fields, said = type(body).model_fields, getattr(body, "by", None) or ""
    if "by" not in fields:
        return body
    changes: dict[str, object] = {"by": BY_TEMPORAL}
    if "verified" in fields:
        behalf = said if said != BY_TEMPORAL else ""
        changes |= {"verified": False, "on_behalf_of": behalf or getattr(body, "on_behalf_of", "")}
    if "key_id" in fields:
        changes["key_id"] = ""
    return body.model_copy(update=changes)


def _mac(key: bytes, target: str, digest: str) -> str:
    return hmac.digest(key, f"{target}\0{digest}".encode("utf-8", "replace"), "sha256")[:24].hex()
