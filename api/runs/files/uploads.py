"""Takes files from clients, piece by piece, and gives them back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import ClassVar, NamedTuple
from uuid import uuid4

from relayline.api.errors import ApiError, InvalidField, TooLarge
from relayline.api.runs.admission.quotas import QuotaExceeded, RunQuotas
from relayline.api.runs.files.claimed import type_of
from relayline.catalog.media import MAX_TEXT_BYTES, taken_by
from relayline.contracts.access.quotas import QuotaName
from relayline.contracts.envelope import moment
from relayline.contracts.files.file_views import FileLimits, FileView
from relayline.contracts.files.parts import MAX_PARTS
from relayline.contracts.principals import Principal
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.journal.files.file_port import FileGone, Files, NewFile, StoredFile
from relayline.journal.files.file_types import HEAD_BYTES
from relayline.journal.table import Tenant


class UnknownFile(ApiError):
    """The tenant has no file with that id, or has it no more."""

    status: ClassVar[int] = 404
    slug = "unknown-file"
    title = "There is no such file"

    def __init__(self, file_id: str) -> None:
        shown = file_id[:100]
        super().__init__(f"no file {shown!r}", file_id=shown)


class Given(NamedTuple):
    """What comes with the bytes."""

    name: str
    content_type: str


class Uploads:
    """The files of clients. An upload holds a few pieces of the file in memory, and never more."""

    def __init__(self, files: Files, quotas: RunQuotas, max_bytes: int) -> None:
        self._files = files
        self._quotas = quotas
        self._max_bytes = max_bytes

    def limits(self, model: str) -> FileLimits:
        """What a file may be; of an unknown model only that it takes texts."""
        return FileLimits(
            max_bytes=self._max_bytes,
            max_text_bytes=MAX_TEXT_BYTES,
            max_parts=MAX_PARTS,
            types=tuple(sorted(taken_by(model))),
        )

    async def take(self, sender: Principal, given: Given, body: AsyncIterator[bytes]) -> FileView:
        """Store a file; it is there when this returns, and nothing of it if this raises.

        Raises:
            TooLarge: it is larger than the deployment allows.
            InvalidField: it is empty, or not what it claims to be.
            QuotaExceeded: its tenant has as many bytes of files as it may.
            TenantErased: the key of its tenant was erased.
            JournalUnavailable: the storage did not answer.
        """
        tenant = sender.tenant or DEFAULT_TENANT
        limit = (await self._quotas.of(tenant)).file_bytes
        held = 0 if limit is None else await self._files.held(tenant)
        writer = await self._files.begin(NewFile(f"file_{uuid4().hex}", tenant, given.name))
        head, kind, whole = b"", "", False
        try:
            async for data in body:
                if len(head) < HEAD_BYTES:
                    head += data[:HEAD_BYTES]
                if not kind and len(head) >= HEAD_BYTES:
                    kind = type_of(head, given.content_type)  # before the rest of it comes
                size = writer.size + len(data)
                if size > self._max_bytes:
                    said = f"body: the file is larger than {self._max_bytes} bytes"
                    raise TooLarge(said, field="body", limit=self._max_bytes)
                if limit is not None and held + size > limit:
                    raise QuotaExceeded(QuotaName.FILE_BYTES, limit)
                await writer.write(data)
            if not head:
                raise InvalidField("body: is empty", field="body")
            file = await writer.finish(kind or type_of(head, given.content_type))
            whole = True
        finally:
            if not whole:
                await writer.abort()
        return view_of(file)

    async def find(self, tenant: Tenant, file_id: str) -> StoredFile:
        """The file.

        Raises:
            UnknownFile: that tenant has none of that id.
            JournalUnavailable: the storage did not answer.
        """
        found = await self._files.find(tenant, file_id)
        if found is None:
            raise UnknownFile(file_id)
        return found

    async def read(self, file: StoredFile) -> AsyncGenerator[bytes, None]:
        """Its bytes; the first of them are read before this returns.

        Raises:
            UnknownFile: it has just been erased.
            JournalUnavailable: the storage did not answer.
        """
        pieces = self._files.read(file)
        try:
            first = await anext(pieces)
        except FileGone as error:
            raise UnknownFile(file.file_id) from error

        async def all_pieces() -> AsyncGenerator[bytes, None]:
            yield first
            async for piece in pieces:
                yield piece

        return all_pieces()


def view_of(file: StoredFile) -> FileView:
    """The file as clients see it."""
    return FileView(
        file_id=file.file_id,
        name=file.name,
        type=file.type,
        size=file.size,
        sha256=file.sha256,
        expires_at=moment(file.expires_us),
    )
