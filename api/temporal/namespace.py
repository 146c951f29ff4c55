"""Checks that the namespace has what runs need, until it does."""

from __future__ import annotations

import logging
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from relayline.api.errors import TemporalUnavailable
from relayline.api.temporal.deadline import with_deadline
from relayline.runtime.namespace import NamespaceUnfit, check_namespace

CHECK_S = 5.0
OK = "ok"
UNKNOWN = "not known while Temporal does not answer"
_log = logging.getLogger(__name__)


class UnfitNamespace(TemporalUnavailable):
    """The namespace does not exist or lacks what runs need; nothing was started."""

    slug = "namespace-unfit"
    title = "Temporal's namespace lacks what runs need"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason.rstrip('.')}; /readyz has the command that fixes it")


class NamespaceCheck:
    """Reports what the namespace lacks; once complete, it is not checked again."""

    def __init__(self, client: Client, retention: timedelta | None) -> None:
        self._client = client
        self._retention = retention
        self._state = UNKNOWN

    async def state(self) -> str:
        """`ok`, or what the namespace lacks with the commands that add it; logged once."""
        if self._state == OK:
            return OK
        state = await self._ask()
        if state not in {OK, UNKNOWN, self._state}:
            _log.warning("no run can work: %s", state)
        self._state = state
        return state

    async def _ask(self) -> str:
        try:
            warnings = await with_deadline(CHECK_S, check_namespace(self._client, self._retention))
        except NamespaceUnfit as error:
            return str(error)
        except (TemporalUnavailable, RPCError):
            return UNKNOWN
        for warning in warnings:
            _log.warning("%s", warning)
        return OK
