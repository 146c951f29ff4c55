"""What we sign, the library of Standard Webhooks verifies, and the other way round."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from relayline.outbound.signature import BadSignature, secret_of, signed, verify

SECRET = secret_of(b"k" * 32)
OTHER = secret_of(b"o" * 32)
ID = "run_0123456789abcdef.3"


@given(body=st.text(alphabet=st.characters(exclude_categories=["Cs"])), key=st.binary(min_size=16))
def test_the_library_verifies_what_we_sign(body: str, key: bytes) -> None:
    secret, at_s = secret_of(key), int(time.time())
    headers = signed([OTHER, secret], ID, at_s, body.encode())
    Webhook(secret).verify(body.encode(), headers, json_parse=False)
    assert verify(secret, headers, body.encode(), time.time()) == ID


def test_we_verify_what_the_library_signs() -> None:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign(ID, now, '{"a":1}')
    headers = {
        "webhook-id": ID,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    assert verify(SECRET, headers, b'{"a":1}', time.time()) == ID


@pytest.mark.parametrize(
    ("secret", "change", "body"),
    [
        (OTHER, {}, b"{}"),
        (SECRET, {}, b"{ }"),
        (SECRET, {"webhook-id": "other"}, b"{}"),
        (SECRET, {"webhook-timestamp": "1"}, b"{}"),
        (SECRET, {"webhook-timestamp": "soon"}, b"{}"),
        (SECRET, {"webhook-signature": "v1,xxxx"}, b"{}"),
        (SECRET, {"webhook-signature": ""}, b"{}"),
        ("whsec_!", {}, b"{}"),
    ],
)
def test_a_delivery_with_a_wrong_signature_is_refused(
    secret: str, change: dict[str, str], body: bytes
) -> None:
    headers = signed([SECRET], ID, int(time.time()), b"{}") | change
    with pytest.raises(BadSignature):
        verify(secret, headers, body, time.time())


def test_a_missing_header_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(SECRET, {"webhook-id": ID}, b"{}", time.time())
