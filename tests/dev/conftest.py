"""Nothing of the tester's own Temporal configuration reaches these tests."""

from __future__ import annotations

import os

import pytest
from temporalio.client import Client


@pytest.fixture(autouse=True)
def no_temporal_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, no profile."""
    for name in os.environ:
        if name.startswith("TEMPORAL_") and name != "TEMPORAL_CLI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)


@pytest.fixture
def shared_temporal(temporal: Client, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the session's server, configured: `relayline dev` starts none of its own."""
    address = temporal.service_client.config.target_host
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    return address
