"""The SDK visits payloads only where a codec or a storage may change them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import temporalio.bridge.worker
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.worker._command_aware_visitor import CommandAwarePayloadVisitor

from relayline.runtime import activations
from relayline.runtime.payloads.ring import UnknownPayloadKey
from relayline.runtime.temporal import data_converter

NAMES = ("decode_activation", "encode_completion")


class Marking(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata=it.metadata, data=b"encoded " + it.data) for it in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata=it.metadata, data=b"decoded " + it.data) for it in payloads]


@pytest.fixture(autouse=True)
def skipping(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:  # whatever is set below is taken back
        monkeypatch.setattr(temporalio.bridge.worker, name, getattr(temporalio.bridge.worker, name))
    activations.skip_idle_visits()


async def visited(converter: DataConverter) -> tuple[bytes, bytes]:
    """A payload of an activation, and one of a completion, as they come out."""
    act, done = WorkflowActivation(), WorkflowActivationCompletion()
    act.jobs.add().initialize_workflow.arguments.add().data = b"it"
    done.successful.commands.add().complete_workflow_execution.result.data = b"it"
    worker = temporalio.bridge.worker
    await worker.decode_activation(
        act, converter, decode_headers=False, storage_concurrency_limit=1
    )
    await worker.encode_completion(
        done, converter, encode_headers=False, storage_concurrency_limit=1
    )
    [argument] = act.jobs[0].initialize_workflow.arguments
    return argument.data, done.successful.commands[0].complete_workflow_execution.result.data


async def test_without_codec_and_storage_payloads_stay_and_nobody_walks_through_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (temporalio.bridge.worker, activations):
        monkeypatch.setattr(module, "CommandAwarePayloadVisitor", None)
    assert await visited(data_converter) == (b"it", b"it")


async def test_a_codec_still_sees_all_payloads() -> None:
    coded = dataclasses.replace(data_converter, payload_codec=Marking())
    assert await visited(coded) == (b"decoded it", b"encoded it")


async def test_with_a_codec_alone_the_payloads_are_walked_through_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walks: list[str] = []

    class Counted(CommandAwarePayloadVisitor):
        async def visit(self, fs: Any, root: Any) -> None:
            walks.append(type(root).__name__)
            await super().visit(fs, root)

    for module in (temporalio.bridge.worker, activations):
        monkeypatch.setattr(module, "CommandAwarePayloadVisitor", Counted)
    await visited(dataclasses.replace(data_converter, payload_codec=Marking()))
    assert walks == ["WorkflowActivation", "WorkflowActivationCompletion"]


async def test_an_encrypted_signal_is_not_taken_for_one_that_says_nothing() -> None:
    act = WorkflowActivation()
    metadata = {"encoding": b"binary/encrypted", "encryption-key-id": b"new"}
    act.jobs.add().signal_workflow.input.append(Payload(metadata=metadata))
    with pytest.raises(UnknownPayloadKey, match="'new'"):
        await temporalio.bridge.worker.decode_activation(
            act, data_converter, decode_headers=False, storage_concurrency_limit=1
        )


def test_skipping_the_visits_twice_changes_nothing() -> None:
    before = [getattr(temporalio.bridge.worker, name) for name in NAMES]
    activations.skip_idle_visits()
    assert [getattr(temporalio.bridge.worker, name) for name in NAMES] == before
