"""How values become payloads: as JSON by pydantic, and encrypted where there are keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    EncodingPayloadConverter,
)

from relayline.runtime.payloads.found import ENCRYPTED, key_id_of
from relayline.runtime.payloads.ring import KeyRing, PayloadUnreadable


class _Unreadable(EncodingPayloadConverter):
    """Says why a payload is still encrypted where its value is wanted."""

    @property
    def encoding(self) -> str:
        """That of encrypted payloads."""
        return ENCRYPTED.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002  the SDK calls it so
        """Nothing is converted into it."""
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        """Raise.

        Raises:
            PayloadUnreadable: always.
        """
        raise PayloadUnreadable(
            f"a payload encrypted with the key {key_id_of(payload)[:64]!r} can't be decrypted: it "
            "was changed, it is of another namespace, or RELAYLINE_PAYLOAD_KEYS is not set"
        )


class _PayloadConverter(PydanticPayloadConverter):
    """Pydantic's, but an undecodable payload without a type hint becomes a `RawValue`.

    A signal may carry anything. If decoding it raised an error, the worker would log the error and
    drop the signal, and the run would never know.

    All instances share the encodings, and with them the adapters of types: the SDK makes several
    instances for each task of a workflow.
    """

    _encodings = (*PydanticPayloadConverter().converters.values(), _Unreadable())

    def __init__(self) -> None:
        CompositePayloadConverter.__init__(self, *self._encodings)

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """As many values as payloads.

        Raises:
            Exception: types are given, and a payload does not match its type.
        """
        if type_hints:
            return super().from_payloads(payloads, type_hints)
        return [self._decoded(payload) for payload in payloads]

    def _decoded(self, payload: Payload) -> Any:
        try:
            return super().from_payloads([payload])[0]
        except Exception:  # noqa: BLE001  the libraries of all encodings raise their own
            return RawValue(payload)


PLAIN = DataConverter(payload_converter_class=_PayloadConverter)
"""Used by all our clients, workers and replays where nothing is encrypted."""


def converter_for(ring: KeyRing, namespace: str) -> DataConverter:
    """The converter of all our clients, workers and replays with these keys.

    With keys it encrypts payloads, and the messages and stack traces of failures.
    """
    if not ring.ids:
        return PLAIN
    from relayline.runtime.payloads.codec import EncryptingCodec  # noqa: PLC0415  only with keys

    return replace(
        PLAIN,
        payload_codec=EncryptingCodec(ring, namespace),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
