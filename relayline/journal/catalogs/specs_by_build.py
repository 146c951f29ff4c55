"""The port to the catalogs of all builds, and its SQL for both adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from relayline.contracts.operation.catalogs import CatalogSpecs
from relayline.journal.access.stored_keys import Run
from relayline.journal.port import JournalUnavailable
from relayline.journal.tenants.data_key import DataKey, is_sealed, key_id_of
from relayline.journal.tenants.tenant_keys import NoRing, Ring

KEPT = 100
"""Builds whose catalogs are kept: those that were written last."""
_KNOWN = "SELECT build, sha256, written_us, seen_us FROM {s}catalogs ORDER BY written_us DESC"
_FIND = "SELECT data FROM {s}catalogs WHERE build = ? AND sha256 = ?"
_WRITE = """
INSERT INTO {s}catalogs AS c (build, sha256, data, written_us, seen_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (build) DO UPDATE SET sha256 = excluded.sha256, data = excluded.data,
    written_us = excluded.written_us,
    seen_us = CASE WHEN c.sha256 = excluded.sha256 THEN coalesce(excluded.seen_us, c.seen_us)
        ELSE excluded.seen_us END
"""
_FORGET = """
DELETE FROM {s}catalogs WHERE build NOT IN (
    SELECT build FROM {s}catalogs ORDER BY written_us DESC LIMIT ?
)
"""


class KnownCatalog(NamedTuple):
    """The catalog of a build."""

    build: str
    """Empty for workers without a build."""
    sha256: str
    written_us: int
    """When it was written last, in microseconds since 1970."""
    seen_us: int | None
    """When a worker last started with it; None: it was only pushed."""


class Catalogs(Protocol):
    """What each build can run; one catalog per build, the newest that was written.

    All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def write(self, build: str, specs: CatalogSpecs, at_us: int, *, seen: bool) -> None:
        """Give the build these, in place of those that it had.

        Args:
            build: Empty for workers without a build.
            specs: Of its catalog.
            at_us: The time, in microseconds since 1970.
            seen: True if a worker starts with them.
        """
        ...

    async def known(self) -> Sequence[KnownCatalog]:
        """The catalogs of all builds, the last written first."""
        ...

    async def specs(self, known: KnownCatalog) -> CatalogSpecs | None:
        """The specs of that catalog; None if the build has another one by now."""
        ...


class CatalogTable:
    """`Catalogs` on whatever runs statements in a transaction; sealed where there are keys."""

    def __init__(self, run: Run, ring: Ring | None) -> None:
        self._run = run
        self._ring = ring or NoRing()

    async def write(self, build: str, specs: CatalogSpecs, at_us: int, *, seen: bool) -> None:
        """As in the port."""
        data = specs.stored()
        if ids := self._ring.ids:
            data = self._key(ids[0]).seal(data, build)
        row = (build, specs.sha256, data, at_us, at_us if seen else None)
        await self._run((_WRITE, row), (_FORGET, (KEPT,)))

    async def known(self) -> Sequence[KnownCatalog]:
        """As in the port."""
        [found] = await self._run((_KNOWN, ()))
        return [KnownCatalog(*row) for row in found]

    async def specs(self, known: KnownCatalog) -> CatalogSpecs | None:
        """As in the port."""
        [found] = await self._run((_FIND, (known.build, known.sha256)))
        if not found:
            return None
        data = str(found[0][0])
        if is_sealed(data):
            data = self._key(key_id_of(data)).open(data, known.build)
        return CatalogSpecs.model_validate_json(data)

    def _key(self, key_id: str) -> DataKey:
        """A key of the deployment.

        Raises:
            JournalUnavailable: this process lacks it.
        """
        if key_id not in self._ring.ids:
            raise JournalUnavailable(
                f"the catalog is sealed by the key {key_id[:64]!r}, which this process lacks: list "
                "it in RELAYLINE_PAYLOAD_KEYS"
            )
        return DataKey("", key_id, self._ring.key(key_id).secret)
