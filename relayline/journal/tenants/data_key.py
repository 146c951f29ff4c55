"""The key of a tenant's data: seals texts, opens them, and digests labels.

A sealed text is `{"k": ID, "c": BASE64}`: the key's id, then nonce and ciphertext. Two keys are
derived from the secret by HKDF (RFC 5869, expand): one for AES-256-GCM, one for HMAC-SHA-256.
"""

from __future__ import annotations

import hmac
import os
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

from relayline.journal.port import Unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_BYTES = 32
NONCE_BYTES = 12
"""Random ones: at most 2³² texts per key, then their chance to meet is above 2⁻³²."""
SEALED_BYTES = NONCE_BYTES + 16
"""So much longer are bytes that were sealed."""
_HEAD, _BETWEEN, _END = '{"k":"', '","c":"', '"}'
_DIGEST = "hmac:"


def is_sealed(text: str) -> bool:
    """True for a sealed text: nothing else that the journal stores has `k` at its top."""
    return text.startswith(_HEAD)


def key_id_of(text: str) -> str:
    """Id of the key that has sealed the text."""
    return text[len(_HEAD) :].partition('"')[0]


class DataKey:
    """Seals the texts of one tenant; what is bound to a text must be given to open it, too."""

    def __init__(self, tenant: str, key_id: str, secret: bytes) -> None:
        self.tenant = tenant
        self.key_id = key_id
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  only with keys

        self._refusals = (InvalidTag, ValueError)
        self._cipher = _cipher(_expanded(secret, b"content"))
        self._labels = _expanded(secret, b"labels")
        self._begin = f"{_HEAD}{key_id}{_BETWEEN}"

    def seal(self, text: str, *bound: str) -> str:
        """The text, sealed."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), self._bound(bound))
        return f"{self._begin}{b2a_base64(sealed, newline=False).decode()}{_END}"

    def open(self, sealed: str, *bound: str) -> str:
        """The text that was sealed.

        Raises:
            Unreadable: it was changed, or something else is bound to it.
        """
        try:
            data = a2b_base64(sealed[len(self._begin) : -len(_END)], strict_mode=True)
            nonce, rest = data[:NONCE_BYTES], data[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, self._bound(bound)).decode()
        except self._refusals:
            raise self._refused(bound) from None

    def seal_bytes(self, data: bytes, *bound: str) -> bytes:
        """Bytes, sealed: nonce and ciphertext."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, self._bound(bound))

    def open_bytes(self, sealed: bytes, *bound: str) -> bytes:
        """The bytes that were sealed.

        Raises:
            Unreadable: as in `open`.
        """
        try:
            return self._cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._bound(bound)
            )
        except self._refusals:
            raise self._refused(bound) from None

    def label(self, key: str, value: str) -> tuple[str, str]:
        """A label as it is stored: keyed digests of its name, and of both."""
        name = hmac.digest(self._labels, key.encode("utf-8", "replace"), "sha256")
        both = hmac.digest(self._labels, name + value.encode("utf-8", "replace"), "sha256")
        return f"{_DIGEST}{name.hex()}", f"{_DIGEST}{both.hex()}"

    def _refused(self, bound: tuple[str, ...]) -> Unreadable:
        where = " ".join(part for part in bound if part)
        return Unreadable(
            f"what the key {self.key_id!r} has sealed can't be opened: it was changed, or "
            f"belongs elsewhere ({where})",
            self.tenant,
        )

    def _bound(self, bound: tuple[str, ...]) -> bytes:
        """The tenant comes last: no other part has a NUL."""
        return "\0".join((*bound, self.tenant)).encode("utf-8", "replace")


def wrap(secret: bytes, by: bytes, tenant: str, key_id: str) -> str:
    """The secret of a data key, encrypted by a key of the ring."""
    nonce = os.urandom(NONCE_BYTES)
    bound = f"{key_id}\0{tenant}".encode("utf-8", "replace")
    sealed = nonce + _cipher(by).encrypt(nonce, secret, bound)
    return b2a_base64(sealed, newline=False).decode()


def unwrap(wrapped: str, by: bytes, tenant: str, key_id: str) -> bytes:
    """The secret again.

    Raises:
        Unreadable: another key has wrapped it, or it was changed.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  only with keys

    bound = f"{key_id}\0{tenant}".encode("utf-8", "replace")
    try:
        data = a2b_base64(wrapped, strict_mode=True)
        return _cipher(by).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):  # a `binascii.Error` is one
        why = f"the key {key_id!r} of tenant {tenant!r} can't be unwrapped"
        raise Unreadable(why, tenant) from None


def _cipher(secret: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import (  # noqa: PLC0415  only with keys
        AESGCM,
    )

    return AESGCM(secret)


def _expanded(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, b"relayline " + purpose + b"\x01", "sha256")
