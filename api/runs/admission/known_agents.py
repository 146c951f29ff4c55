"""The agents that runs may be submitted for: those of the catalog of the current build."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from relayline.api.errors import TemporalUnavailable
from relayline.contracts.envelope import moment
from relayline.contracts.runs import AgentSpec
from relayline.journal.catalogs.specs_by_build import Catalogs, KnownCatalog
from relayline.journal.port import JournalUnavailable

READ_EVERY_S = 1.0
"""For how long a catalog that was read is taken to be the current one."""
MISSED_EVERY_S = 0.05
"""The same for those who ask for an agent that it does not have."""
ASK_S = 2.0
"""The most that a request waits for it to be read again."""
_log = logging.getLogger(__name__)


class KnownAgents(Mapping[str, AgentSpec]):
    """The agents of the current build, by name; the built-in ones before any worker was there.

    Workers write what they have when they start (`Catalogs`). While the journal does not answer,
    the agents that were read last are known; asking for another one then raises
    `JournalUnavailable`.
    """

    def __init__(
        self,
        catalogs: Catalogs,
        builtin: Mapping[str, AgentSpec],
        current_build: Callable[[], Awaitable[str]],
    ) -> None:
        """Read nothing yet.

        Args:
            catalogs: What each build can run.
            builtin: Known while there is no catalog.
            current_build: Asks which build new runs go to; empty: to workers without one. It may
                raise `TemporalUnavailable`.
        """
        self._catalogs = catalogs
        self._agents = builtin
        self._current_build = current_build
        self._current = ""
        self._chosen: KnownCatalog | None = None
        self._failure: JournalUnavailable | None = None
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")

    def __getitem__(self, name: str) -> AgentSpec:
        return self._agents[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)

    def __len__(self) -> int:
        return len(self._agents)

    def get(self, name: str, default: Any = None) -> Any:
        """The agent of that name.

        Raises:
            JournalUnavailable: it is not known, and the catalog could not be read again.
        """
        found = self._agents.get(name)
        if found is None and self._failure:
            raise self._failure
        return default if found is None else found

    @property
    def build(self) -> str | None:
        """The build whose agents these are, empty for workers without one; None: built-in ones."""
        return self._chosen.build if self._chosen else None

    @property
    def seen_at(self) -> datetime | None:
        """When a worker last started with them; None: none has."""
        seen_us = self._chosen.seen_us if self._chosen else None
        return None if seen_us is None else moment(seen_us)

    async def fresh(self, wanted: str | None = None) -> None:
        """Read the catalog again if that was more than `READ_EVERY_S` ago; call it before use.

        Args:
            wanted: The agent that is asked for; if it is not known, `MISSED_EVERY_S` is enough.
        """
        missing = wanted is not None and wanted not in self._agents
        every_s = MISSED_EVERY_S if missing else READ_EVERY_S
        if time.monotonic() < self._read_at + every_s:
            return
        async with self._lock:  # those who come meanwhile wait for the one that reads
            if time.monotonic() < self._read_at + every_s:
                return
            try:
                async with asyncio.timeout(ASK_S):
                    await self._read()
            except (JournalUnavailable, TimeoutError) as error:
                self._failure = JournalUnavailable(f"the catalog could not be read: {error}")
                _log.warning("the catalog could not be read", extra={"reason": str(error)})
            else:
                self._failure = None
            finally:
                self._read_at = time.monotonic()

    async def _read(self) -> None:
        known = await self._catalogs.known()
        if any(it.build for it in known):
            try:
                self._current = await self._current_build()
            except TemporalUnavailable as error:
                _log.info("the current build is not known", extra={"reason": str(error)})
        chosen = _chosen(known, self._current)
        same = chosen and self._chosen and chosen[:2] == self._chosen[:2]
        if chosen and not same:
            specs = await self._catalogs.specs(chosen)
            if specs is None:  # written again meanwhile
                return
            self._agents = {agent.name: agent for agent in specs.agents}
        self._chosen = chosen or self._chosen


def _chosen(known: Sequence[KnownCatalog], current: str) -> KnownCatalog | None:
    """The catalog of that build; where it has none, the newest with which a worker has started."""
    for catalog in known:
        if catalog.build == current:
            return catalog
    seen = [catalog for catalog in known if catalog.seen_us is not None]
    return next(iter(seen or known), None)
