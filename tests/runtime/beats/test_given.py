"""A look at the open runs that fails, because Temporal does not answer, keeps no other waiting."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from relayline.runtime.beats.given import GivenCalls
from tests.faults.crew import Cable


async def test_after_a_look_that_failed_nobody_looks_again_at_once(temporal: Client) -> None:
    """Each late worker has a takeover of its own; one look at a time serves them all."""
    port = int(temporal.service_client.config.target_host.rpartition(":")[2])
    async with Cable(port).laid() as cable:
        given = GivenCalls(await Client.connect(f"127.0.0.1:{cable.port}"))
        cable.cut()
        with pytest.raises((RPCError, TimeoutError)):
            await given.of("1@host/dead")
        assert await given.of("2@host/dead") == []
