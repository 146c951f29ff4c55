"""The header of a signal that proves who sent a command; handlers do not see headers."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from temporalio.api.common.v1 import Payload

from relayline.contracts.access.proofs import HEADER, MAX_PROOF_CHARS, carried, digest_of
from relayline.contracts.commands import AnyCommand

PROOF: ContextVar[str] = ContextVar("proof", default="")
"""That of the signal whose handler runs; the SDK runs each in a task of its own."""


def proof_in(headers: Mapping[str, Payload]) -> str:
    """The proof in a signal's headers, whatever they hold; empty if there is none."""
    payload = headers.get(HEADER)
    if payload is None:
        return ""
    quoted = payload.data[:MAX_PROOF_CHARS].decode("latin-1")
    return quoted.strip('"')


def with_proof(command: AnyCommand, payloads: tuple[object, ...]) -> AnyCommand:
    """The command with the proof that its signal has, for these payloads; with none if it has none.

    What a payload itself says of a proof counts nothing.
    """
    proof, payload = PROOF.get(), next(iter(payloads), None)
    text = carried(digest_of(command.kind.value, payload), proof) if proof else ""
    if (command.proof, command.verified) == (text, True):
        return command
    return command.model_copy(update={"proof": text, "verified": True})
