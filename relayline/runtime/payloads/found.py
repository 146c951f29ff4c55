"""Which payloads are encrypted, and with which keys, as far as anybody can see without a key."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload

ENCODING, KEY = "encoding", "encryption-key-id"
"""Metadata of a payload."""
ENCRYPTED = b"binary/encrypted"


def key_id_of(payload: Payload) -> str:
    """The name of the key, empty if the payload is not encrypted or does not say."""
    if payload.metadata.get(ENCODING) != ENCRYPTED:
        return ""
    return payload.metadata.get(KEY, b"").decode(errors="replace")


def key_ids_in(message: Message) -> set[str]:
    """Names of the keys of all payloads in a message, at any depth."""
    return {key_id for payload in _payloads(message) if (key_id := key_id_of(payload))}


def _payloads(message: Message) -> Iterator[Payload]:
    waiting = [message]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Payload):
            yield here
            continue
        for field, value in here.ListFields():
            if field.message_type is None:
                continue
            if field.message_type.GetOptions().map_entry:
                waiting += [it for it in value.values() if isinstance(it, Message)]
            elif isinstance(value, Message):
                waiting.append(value)
            else:
                waiting += value
