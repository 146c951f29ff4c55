"""Nothing of the tester's own Temporal configuration reaches these tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_temporal_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, no profile."""
    for name in os.environ:
        if name.startswith("TEMPORAL_") and name != "TEMPORAL_CLI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)
