"""Where the pieces of files are: in a folder, or in a table."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

from relayline.journal.access.stored_keys import Run
from relayline.journal.files.file_port import CHUNK_BYTES, FileGone
from relayline.journal.port import JournalUnavailable

_SLOT = CHUNK_BYTES + 64
"""A sealed piece is a few bytes longer."""
_WRITE = """
INSERT INTO {s}file_chunks (file_id, number, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""
_READ = "SELECT data FROM {s}file_chunks WHERE file_id = ? AND number = ?"
_DELETE = "DELETE FROM {s}file_chunks WHERE file_id = ?"


class Chunks(Protocol):
    """The pieces of files, each at most `CHUNK_BYTES` long before it was sealed."""

    async def write(self, file_id: str, number: int, data: bytes) -> None:
        """Store a piece."""
        ...

    async def settle(self, file_id: str) -> None:
        """Return when all pieces are on the disk."""
        ...

    async def read(self, file_id: str, number: int, size: int) -> bytes:
        """A piece, of that many bytes.

        Raises:
            FileGone: it is not there.
        """
        ...

    async def delete(self, file_id: str) -> None:
        """Delete all pieces, if there are any."""
        ...


class FolderChunks:
    """Each file is one on the disk, for this user alone."""

    def __init__(self, folder: Path) -> None:
        """Make nothing yet.

        Args:
            folder: Where they are; made with the first one.
        """
        self._folder = folder

    async def write(self, file_id: str, number: int, data: bytes) -> None:
        """As in the port."""
        await asyncio.to_thread(self._write, file_id, number, data)

    async def settle(self, file_id: str) -> None:
        """As in the port."""
        await asyncio.to_thread(self._settle, file_id)

    async def read(self, file_id: str, number: int, size: int) -> bytes:
        """As in the port."""
        return await asyncio.to_thread(self._read, file_id, number, size)

    async def delete(self, file_id: str) -> None:
        """As in the port."""
        await asyncio.to_thread(self._path(file_id).unlink, missing_ok=True)

    def _path(self, file_id: str) -> Path:
        return self._folder / file_id[-2:] / file_id

    def _write(self, file_id: str, number: int, data: bytes) -> None:
        path = self._path(file_id)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                view, at = memoryview(data), number * _SLOT
                while view:
                    done = os.pwrite(place, view, at)
                    view, at = view[done:], at + done
            finally:
                os.close(place)
        except OSError as error:
            raise _unavailable(path, error) from error

    def _settle(self, file_id: str) -> None:
        path = self._path(file_id)
        if not path.exists():
            return  # it is empty
        try:
            for each in (path, path.parent, self._folder):
                place = os.open(each, os.O_RDONLY)
                try:
                    os.fsync(place)
                finally:
                    os.close(place)
        except OSError as error:
            raise _unavailable(path, error) from error

    def _read(self, file_id: str, number: int, size: int) -> bytes:
        path = self._path(file_id)
        try:
            place = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise FileGone(file_id) from None
        except OSError as error:
            raise _unavailable(path, error) from error
        try:
            return os.pread(place, size, number * _SLOT)
        except OSError as error:
            raise _unavailable(path, error) from error
        finally:
            os.close(place)


class TableChunks:
    """The pieces are rows, deleted and backed up with the rest of the database."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def write(self, file_id: str, number: int, data: bytes) -> None:
        """As in the port."""
        await self._run((_WRITE, (file_id, number, data)))

    async def settle(self, file_id: str) -> None:
        """As in the port: each piece was committed."""

    async def read(self, file_id: str, number: int, size: int) -> bytes:  # noqa: ARG002  a row knows it
        """As in the port."""
        [found] = await self._run((_READ, (file_id, number)))
        if not found:
            raise FileGone(file_id)
        return bytes(found[0][0])

    async def delete(self, file_id: str) -> None:
        """As in the port."""
        await self._run((_DELETE, (file_id,)))


def _unavailable(path: Path, error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"the files beside the journal can't be reached ({error.strerror}: {path.parent.parent}): "
        "check its permissions and that the disk is not full"
    )
