"""Encrypts and decrypts payloads: AES-256-GCM, as Temporal's codecs do.

An encrypted payload has the encoding `binary/encrypted` and the name of its key; its data are the
nonce, then the whole payload, encrypted. Namespace and name are authenticated with it: a payload
that was copied from another namespace can't be read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from relayline.runtime.payloads.found import ENCODING, ENCRYPTED, KEY, key_id_of
from relayline.runtime.payloads.ring import KeyRing

NONCE_BYTES = 12
"""Random ones: at most 2³² payloads per key, then their chance to meet is above 2⁻³²."""


class EncryptingCodec(PayloadCodec):
    """Encrypts with the ring's first key, decrypts with any of them.

    Payloads that are not encrypted are read as they are, so that encryption can be switched on
    while runs are open.
    """

    def __init__(self, ring: KeyRing, namespace: str) -> None:
        """For the payloads of one namespace; the ring has at least one key."""
        self._ring = ring
        self._namespace = namespace.encode()
        self._current = ring.ids[0]
        self._ciphers: dict[str, tuple[AESGCM, bytes]] = {}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """As many, encrypted; one that is encrypted already stays as it is."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """As many, decrypted; one that was changed or is of another namespace stays as it is.

        Whoever wants its value then gets a `PayloadUnreadable`. A signal with such a payload is
        refused as any other that says nothing.

        Raises:
            UnknownPayloadKey: the ring lacks a key. Temporal retries what needed the payload.
        """
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get(ENCODING) == ENCRYPTED:
            return payload
        cipher, bound = self._cipher(self._current)
        nonce = os.urandom(NONCE_BYTES)
        data = nonce + cipher.encrypt(nonce, payload.SerializeToString(), bound)
        return Payload(
            metadata={ENCODING: ENCRYPTED, KEY: self._current.encode()},
            data=data,
        )

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get(ENCODING) != ENCRYPTED or not (key_id := key_id_of(payload)):
            return payload
        cipher, bound = self._cipher(key_id)
        nonce, data = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, data, bound))
        except (InvalidTag, ValueError, DecodeError):  # ValueError: hardly any data
            return payload

    def _cipher(self, key_id: str) -> tuple[AESGCM, bytes]:
        """The key's, and what is authenticated besides the data."""
        if (found := self._ciphers.get(key_id)) is None:
            cipher = AESGCM(self._ring.key(key_id).secret)
            found = self._ciphers[key_id] = cipher, self._namespace + b"\0" + key_id.encode()
        return found
