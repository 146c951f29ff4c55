"""The `ToolContext` of a call that no run of this process makes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from relayline.catalog.tools import ToolError
from relayline.contracts.runs import DEFAULT_TENANT

_log = logging.getLogger(__name__)


class CallElsewhere:
    """What is known of the call; it has no secrets, and progress goes nowhere."""

    attempt = 1

    def __init__(self, about: Mapping[str, Any], idempotency_key: str) -> None:
        """Create it.

        Args:
            about: What the caller says, by the names of `ToolContext`; anything may be missing.
            idempotency_key: Of the call.
        """
        turn, metadata = about.get("turn"), about.get("metadata")
        self.run_id = str(about.get("run_id", ""))
        self.call_id = str(about.get("call_id", ""))
        self.step = int(about.get("step", 0))
        self.turn = turn if isinstance(turn, int) else None
        self.agent = str(about.get("agent", ""))
        self.tenant = str(about.get("tenant", DEFAULT_TENANT))
        self.user = str(about.get("user", ""))
        self.metadata: Mapping[str, str] = metadata if isinstance(metadata, Mapping) else {}
        self.idempotency_key = idempotency_key
        told = {"run_id": self.run_id, "call_id": self.call_id}
        self.log = logging.LoggerAdapter(_log, told)
        self._stopped = False

    @property
    def cancelled(self) -> bool:
        """As in `ToolContext`."""
        return self._stopped

    def stop(self) -> None:
        """Set `cancelled`."""
        self._stopped = True

    def progress(self, message: str, fraction: float | None = None) -> None:
        """As in `ToolContext`; nobody watches."""

    def secrets(self, name: str) -> NoReturn:
        """As in `ToolContext`.

        Raises:
            ToolError: always.
        """
        raise ToolError(f"there is no secret {name!r} here", retryable=False)
