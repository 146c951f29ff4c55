"""Files on whatever runs statements, and whatever has their pieces."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from relayline.journal.access.stored_keys import Run
from relayline.journal.files import file_sql as sql
from relayline.journal.files.chunks import Chunks
from relayline.journal.files.file_port import (
    CHUNK_BYTES,
    UNNAMED_US,
    FileGone,
    FileWriter,
    NewFile,
    StoredFile,
)
from relayline.journal.files.file_seals import FileSeals
from relayline.journal.outbox_sql import Row, of_tenant
from relayline.journal.rows import now_us
from relayline.journal.table import Tenant
from relayline.journal.tenants.data_key import SEALED_BYTES, DataKey

UPLOAD_US = 3600 * 1_000_000
"""What has not become a whole file for so long, in microseconds, is swept."""
_NAME, _PIECE = "file-name", "file-piece"
_ALL_AT_ONCE = 100


class StoredFiles:
    """`journal.files.file_port.Files`."""

    def __init__(self, run: Run, chunks: Chunks, seals: FileSeals) -> None:
        self._run = run
        self._chunks = chunks
        self._seals = seals

    async def begin(self, new: NewFile) -> FileWriter:
        """As in the port."""
        name, key = await self._seals.accepting(new.tenant)
        shown = key.seal(new.name, _NAME, new.file_id) if key else new.name
        at_us = now_us()
        row = (new.file_id, new.tenant, shown, at_us, at_us + UPLOAD_US, name)
        await self._run((sql.BEGIN, row))
        return _Writer(self, new, (name, key), at_us)

    async def find(self, tenant: Tenant, file_id: str) -> StoredFile | None:
        """As in the port."""
        where, theirs = of_tenant(tenant)
        [found] = await self._run((sql.FIND.replace("{where}", where), (file_id, *theirs)))
        return await self._file(found[0]) if found else None

    async def find_named(self, run_id: str, file_id: str) -> StoredFile | None:
        """As in the port."""
        [found] = await self._run((sql.FIND_NAMED, (file_id, run_id)))
        return await self._file(found[0]) if found else None

    async def read(self, file: StoredFile) -> AsyncGenerator[bytes, None]:
        """As in the port."""
        for number in range(-(-file.size // CHUNK_BYTES)):
            left = min(CHUNK_BYTES, file.size - number * CHUNK_BYTES)
            size = left + (SEALED_BYTES if file.key else 0)
            data = await self._chunks.read(file.file_id, number, size)
            opened = partial(_opened, data=data, bound=(_PIECE, file.file_id, str(number)))
            yield await self._seals.opening(file.key, file.tenant, opened)

    async def name(
        self, tenant: Tenant, run_id: str, file_ids: Sequence[str]
    ) -> dict[str, StoredFile]:
        """As in the port."""
        where, theirs = of_tenant(tenant)
        keep, name = (it.replace("{where}", where) for it in (sql.KEEP, sql.NAME))
        at_us, found = now_us(), dict[str, StoredFile]()
        for file_id in sorted({*file_ids}):  # so that two processes never wait for each other
            until_us = at_us + UNNAMED_US
            kept, _ = await self._run(
                (keep, (until_us, until_us, file_id, *theirs)),
                (name, (run_id, at_us, file_id, *theirs)),
            )
            if kept:
                found[file_id] = await self._file(kept[0])
        return found

    async def copy_names(self, source: str, run_id: str) -> None:
        """As in the port."""
        at_us = now_us()
        until_us = at_us + UNNAMED_US
        await self._run(
            (sql.KEEP_ALL, (until_us, until_us, source)), (sql.COPY, (run_id, at_us, source))
        )

    async def held(self, tenant: Tenant) -> int:
        """As in the port."""
        where, theirs = of_tenant(tenant)
        [found] = await self._run((sql.HELD.replace("{where}", where), theirs))
        return int(found[0][0] or 0)

    async def forget_run(self, run_id: str) -> None:
        """As in the port."""
        await self._run((sql.RELEASE, (run_id, run_id)), (sql.UNNAME, (run_id,)))
        while await self._sweep(0, _ALL_AT_ONCE) >= _ALL_AT_ONCE:
            pass

    async def forget_tenant(self, tenant: str) -> None:
        """As in the port."""
        await self._run((sql.DOOM_ALL, (tenant,)))
        while await self._remove(_ALL_AT_ONCE):
            pass

    async def sweep(self, limit: int) -> int:
        """As in the port."""
        await self._run((sql.UNNAME_GONE, (now_us() - UNNAMED_US,)))
        return await self._sweep(now_us(), limit)

    async def _sweep(self, until_us: int, limit: int) -> int:
        await self._run((sql.DOOM, (until_us, limit, until_us)))
        return await self._remove(limit)

    async def _remove(self, limit: int) -> int:
        """Delete the pieces of files that are doomed, and then their rows; returns how many."""
        [doomed] = await self._run((sql.DOOMED, (limit,)))
        for (file_id,) in doomed:
            await self._chunks.delete(file_id)
            await self._run(*((statement, (file_id,)) for statement in sql.REMOVE))
        return len(doomed)

    async def _file(self, row: Row) -> StoredFile:
        file = StoredFile(*row)
        opened = partial(_shown, sealed=file.name, file_id=file.file_id)
        return file._replace(name=await self._seals.opening(file.key, file.tenant, opened))

    async def store_piece(
        self, file_id: str, number: int, data: bytes, key: DataKey | None
    ) -> None:
        """Store a piece, sealed if there is a key."""
        bound = (_PIECE, file_id, str(number))
        await self._chunks.write(file_id, number, key.seal_bytes(data, *bound) if key else data)

    async def finished(self, file: StoredFile) -> None:
        """Note that the file is whole.

        Raises:
            FileGone: it took too long, and was swept.
        """
        await self._chunks.settle(file.file_id)
        facts = (file.type, file.size, file.sha256, file.expires_us, file.file_id)
        [found] = await self._run((sql.FINISH, facts))
        if not found:
            raise FileGone(file.file_id)

    async def discard(self, file_id: str) -> None:
        """Remove a file that is not whole."""
        await self._run((sql.DOOM_ONE, (file_id,)))
        await self._remove(_ALL_AT_ONCE)


class _Writer:
    """`journal.files.file_port.FileWriter`."""

    def __init__(
        self, files: StoredFiles, new: NewFile, key: tuple[str, DataKey | None], at_us: int
    ) -> None:
        self.size = 0
        self._files = files
        self._new = new
        self._key = key
        self._at_us = at_us
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._pieces = 0

    async def write(self, data: bytes) -> None:
        """As in the port."""
        self.size += len(data)
        self._digest.update(data)
        self._waiting += data
        while len(self._waiting) >= CHUNK_BYTES:
            await self._store(bytes(self._waiting[:CHUNK_BYTES]))
            del self._waiting[:CHUNK_BYTES]

    async def finish(self, kind: str) -> StoredFile:
        """As in the port."""
        if self._waiting:
            await self._store(bytes(self._waiting))
            self._waiting.clear()
        expires_us, sha256 = now_us() + UNNAMED_US, self._digest.hexdigest()
        file_id, tenant, name = self._new
        what = (file_id, tenant, name, kind, self.size, sha256)
        file = StoredFile(*what, self._at_us, expires_us, self._key[0])
        await self._files.finished(file)
        return file

    async def abort(self) -> None:
        """As in the port."""
        await self._files.discard(self._new.file_id)

    async def _store(self, piece: bytes) -> None:
        await self._files.store_piece(self._new.file_id, self._pieces, piece, self._key[1])
        self._pieces += 1


def _opened(key: DataKey | None, *, data: bytes, bound: tuple[str, ...]) -> bytes:
    return key.open_bytes(data, *bound) if key else data


def _shown(key: DataKey | None, *, sealed: str, file_id: str) -> str:
    return key.open(sealed, _NAME, file_id) if key else sealed
