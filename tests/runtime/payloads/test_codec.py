"""What is encrypted, and who can read it."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.common import RawValue
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from relayline.contracts.runs import RunMemo, RunStatus
from relayline.runtime.payloads.converter import PLAIN, converter_for
from relayline.runtime.payloads.found import ENCRYPTED, key_id_of, key_ids_in
from relayline.runtime.payloads.ring import (
    NO_KEYS,
    ListedKeys,
    PayloadUnreadable,
    UnknownPayloadKey,
    new_key,
)

OLD, NEW = new_key("old"), new_key("new")
NAMESPACE = "default"
MEMO = RunMemo(status=RunStatus.RUNNING, step=7)


def converter(*keys: Any, namespace: str = NAMESPACE) -> DataConverter:
    return converter_for(ListedKeys(keys), namespace)


async def test_values_are_restored_and_the_ciphertext_hides_them() -> None:
    ours = converter(NEW)
    payloads = await ours.encode([{"secret": "marker"}, MEMO])
    for payload in payloads:
        assert dict(payload.metadata) == {"encoding": ENCRYPTED, "encryption-key-id": b"new"}
        assert b"marker" not in payload.data
        assert b"json" not in payload.data
    assert await ours.decode(payloads, [dict[str, str], RunMemo]) == [{"secret": "marker"}, MEMO]


async def test_no_two_payloads_are_alike() -> None:
    [first], [second] = [await converter(NEW).encode(["same"]) for _ in range(2)]
    assert first.data != second.data


async def test_without_keys_payloads_are_as_they_always_were() -> None:
    assert converter_for(NO_KEYS, NAMESPACE) is PLAIN


async def test_plain_payloads_are_read_and_encrypted_ones_are_not_encrypted_again() -> None:
    ours = converter(NEW)
    plain = await PLAIN.encode(["before"])
    assert await ours.decode(plain) == ["before"]
    assert ours.payload_codec
    once = await ours.payload_codec.encode(plain)
    assert await ours.payload_codec.encode(once) == once


async def test_a_rotation_goes_on_with_the_new_key_and_reads_the_old_one() -> None:
    before = await converter(OLD).encode(["before"])
    both = converter(NEW, OLD)
    after = await both.encode(["after"])
    assert [key_id_of(it) for it in (*before, *after)] == ["old", "new"]
    assert await both.decode([*before, *after]) == ["before", "after"]
    assert await converter(OLD, NEW).decode(after) == ["after"]


async def test_an_unknown_key_is_named() -> None:
    payloads = await converter(OLD).encode(["it"])
    with pytest.raises(UnknownPayloadKey, match="'old'") as refused:
        await converter(NEW).decode(payloads)
    assert refused.value.key_id == "old"


async def changed(payload: Payload, how: str) -> Payload:
    copy = Payload()
    copy.CopyFrom(payload)
    match how:
        case "data":
            copy.data = copy.data[:-1] + bytes([copy.data[-1] ^ 1])
        case "short":
            copy.data = b"\0" * 5
        case "key":
            copy.metadata["encryption-key-id"] = b"new"
        case "no key":
            del copy.metadata["encryption-key-id"]
        case "namespace":
            [copy] = await converter(OLD, namespace="other").encode(["it"])
    return copy


@pytest.mark.parametrize("how", ["data", "short", "key", "no key", "namespace"])
async def test_a_changed_or_foreign_payload_has_no_value(how: str) -> None:
    ours = converter(OLD, NEW)
    [payload] = await ours.encode(["it"])
    bad = await changed(payload, how)
    with pytest.raises(PayloadUnreadable, match="can't be decrypted"):
        await ours.decode([bad], [str])
    [raw] = await ours.decode([bad])  # as a signal is decoded, which may carry anything
    assert isinstance(raw, RawValue)


async def test_a_process_without_keys_says_that_it_has_none() -> None:
    payloads = await converter(OLD).encode(["it"])
    with pytest.raises(PayloadUnreadable, match=r"'old'.*RELAYLINE_PAYLOAD_KEYS"):
        await PLAIN.decode(payloads, [str])


async def test_messages_and_stack_traces_of_failures_are_encrypted() -> None:
    ours = converter(NEW)
    failure = Failure()
    try:
        try:
            raise RuntimeError("marker of the cause")  # noqa: TRY301  it has a stack
        except RuntimeError as error:
            raise ApplicationError("marker", {"detail": "marker"}, type="some-type") from error
    except ApplicationError as error:
        await ours.encode_failure(error, failure)
    written = failure.SerializeToString()
    assert b"marker" not in written
    assert b"test_codec" not in written
    assert failure.application_failure_info.type == "some-type"
    read = await ours.decode_failure(failure)
    assert isinstance(read, ApplicationError)
    assert (read.message, read.type, read.details) == (
        "marker",
        "some-type",
        ({"detail": "marker"},),
    )
    assert "marker of the cause" in str(read.__cause__)


async def test_the_keys_of_a_message_are_found_at_any_depth() -> None:
    [old], [new] = await converter(OLD).encode(["a"]), await converter(NEW).encode(["b"])
    [plain] = await PLAIN.encode(["c"])
    event = HistoryEvent()
    started = event.workflow_execution_started_event_attributes
    started.input.payloads.extend([plain, old])
    started.memo.fields["request"].CopyFrom(new)
    assert key_ids_in(event) == {"old", "new"}
    assert key_ids_in(HistoryEvent()) == set()
