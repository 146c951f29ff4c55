"""Model settings in the bodies of requests."""

from __future__ import annotations

from pydantic import ConfigDict

from relayline.contracts.runs import ModelSettings


class RequestedSettings(ModelSettings):
    """Settings of one run; the agent's apply where none is given, the provider's own where null."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
