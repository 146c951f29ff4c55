"""Signatures of webhooks, as https://www.standardwebhooks.com specifies them. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE_S = 5 * 60
"""How far the time in a signature may be from the verifier's clock."""


class BadSignature(Exception):
    """The request is not signed with the secret, or too old; the message says which."""


def secret_of(key: bytes) -> str:
    """The key as text: `whsec_` and base64."""
    return PREFIX + base64.b64encode(key).decode()


def signed(secrets: Iterable[str], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

    Args:
        secrets: Each gives a signature; a receiver needs one that it can verify.
        message_id: The same at every try.
        at_s: The time of this try, in seconds since 1970.
        body: Exactly what is sent.
    """
    signatures = " ".join(_signature(secret, message_id, at_s, body) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": signatures,
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """The `webhook-id` of a request that is signed with the secret.

    Args:
        secret: `whsec_…`.
        headers: Of the request; their names in lower case.
        body: As it came.
        now_s: Seconds since 1970.

    Raises:
        BadSignature: a header is missing, the time is off, or no signature fits.
    """
    try:
        message_id, at, given = (headers[name] for name in signed((), "", 0, b""))
        at_s = int(at)
    except (KeyError, ValueError) as error:
        raise BadSignature("a header is missing or malformed") from error
    if abs(now_s - at_s) > TOLERANCE_S:
        raise BadSignature(f"webhook-timestamp is more than {TOLERANCE_S} s off")
    wanted = _signature(secret, message_id, at_s, body).encode()
    if not any(hmac.compare_digest(wanted, one.encode()) for one in given.split()):
        raise BadSignature("no signature fits this secret and body")
    return message_id


def _signature(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise BadSignature("the secret is not base64 after `whsec_`") from error
    signed_text = f"{message_id}.{at_s}.".encode() + body
    digest = hmac.new(key, signed_text, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
