"""Puts the proof of a command's sender into the header of its signal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    WorkflowHandle,
)

from relayline.contracts.access.proofs import HEADER

_PROOF: ContextVar[str] = ContextVar("proof_to_send", default="")


def with_proof_headers(client: Client) -> Client:
    """A client on the same connection whose signals have the proof that `proving` has set."""
    config = client.config()
    config["interceptors"] = [*config["interceptors"], _Headers()]
    return Client(**config)


@contextmanager
def proving(proof: str) -> Iterator[None]:
    """Around the call that sends a signal, with its proof; an empty one sends none."""
    token = _PROOF.set(proof)
    try:
        yield
    finally:
        _PROOF.reset(token)


class _Headers(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002
        input.headers = _with_proof(input.headers)
        await super().signal_workflow(input)

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        if input.start_signal is not None:
            input.headers = _with_proof(input.headers)
        return await super().start_workflow(input)


def _with_proof(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    proof = _PROOF.get()
    if not proof:
        return headers
    shown = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(proof).encode())
    return {**headers, HEADER: shown}
