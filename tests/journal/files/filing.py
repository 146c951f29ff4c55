"""Files for tests: written, read, looked for on the disk."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from relayline.journal.files.file_port import NewFile, StoredFile
from relayline.journal.table import Storage
from tests.journal.tenants.keeping import stored


def fresh_file_id() -> str:
    return f"file_{uuid4().hex}"


async def written(
    table: Storage, data: bytes, tenant: str = "acme", name: str = "a.bin"
) -> StoredFile:
    """A whole file."""
    writer = await table.files.begin(NewFile(fresh_file_id(), tenant, name))
    await writer.write(data)
    return await writer.finish("application/octet-stream")


async def read(table: Storage, file: StoredFile) -> bytes:
    return b"".join([piece async for piece in table.files.read(file)])


async def pieces(storage: str, file_id: str) -> bytes:
    """What the disk, or the database, has of a file's bytes."""
    adapter, _, where = storage.partition(":")
    if adapter == "sqlite":
        path = Path(f"{where}-files") / file_id[-2:] / file_id
        return path.read_bytes() if path.exists() else b""
    rows = await stored(storage, "SELECT data FROM {s}file_chunks WHERE file_id = ?", file_id)
    return b"".join(row[0] for row in rows)


async def make_old(storage: str, file_id: str) -> None:
    """Everything that the storage says of the file was long ago."""
    await stored(storage, "UPDATE {s}files SET expires_us = 1 WHERE file_id = ?", file_id)
    await stored(storage, "UPDATE {s}file_runs SET named_us = 1 WHERE file_id = ?", file_id)
