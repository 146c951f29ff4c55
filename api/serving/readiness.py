"""Whether this server can take a run: the journal, Temporal and its namespace, workers."""

from __future__ import annotations

import asyncio

from temporalio.service import RPCError

from relayline.api.errors import TemporalUnavailable
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.namespace import NamespaceCheck
from relayline.api.temporal.workers import Workers
from relayline.contracts.operation.system import Health
from relayline.contracts.principals import Principal, Scope
from relayline.journal.port import Journal, JournalUnavailable

PROBE_S = 2.0
"""The most seconds that the journal may take to write the probe's page."""


def known_to(asker: Principal | None, health: Health) -> Health:
    """What the asker may know: without the scope `system:read` only whether it is ready."""
    if asker and Scope.SYSTEM_READ in asker.scopes:
        return health
    return Health(status=health.status)


class Readiness:
    """Checks each part within a bounded time."""

    def __init__(
        self, journal: Journal, gateway: Gateway, namespace: NamespaceCheck, workers: Workers
    ) -> None:
        self._journal = journal
        self._gateway = gateway
        self._namespace = namespace
        self._workers = workers

    async def check(self) -> Health:
        """`ok`, or `unavailable` with what is missing, part by part."""
        journal, temporal, namespace, missing = await asyncio.gather(
            self._check_journal(),
            self._check_temporal(),
            self._namespace.state(),
            self._missing_workers(),
        )
        parts = {"journal": journal, "temporal": temporal, "namespace": namespace}
        if all(state == "ok" for state in parts.values()):
            return Health(status="ok", parts=parts, lacking=missing)
        return Health(status="unavailable", parts=parts)

    async def _check_journal(self) -> str:
        try:
            async with asyncio.timeout(PROBE_S):
                await self._journal.check()
        except JournalUnavailable as error:
            return str(error)
        except TimeoutError:
            return (
                f"the journal took no write within {PROBE_S:g} s: another process holds its lock, "
                "its disk is slow, or its storage does not answer"
            )
        return "ok"

    async def _check_temporal(self) -> str:
        try:
            await self._gateway.check()
        except TemporalUnavailable as error:
            return error.detail
        return "ok"

    async def _missing_workers(self) -> dict[str, str]:
        """Kinds of work without workers; also empty while that is unknown."""
        try:
            return await self._workers.missing()
        except (TemporalUnavailable, RPCError):
            return {}
