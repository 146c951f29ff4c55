"""The port to files: what people and tools give to models, beside the journal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from relayline.journal.port import JournalError

if TYPE_CHECKING:
    from relayline.journal.table import Tenant

CHUNK_BYTES = 256 * 1024
"""A file is stored and read in pieces of so many bytes; the last one is shorter."""
UNNAMED_US = 24 * 3600 * 1_000_000
"""A file that no run names is kept for so long, in microseconds."""


class FileGone(JournalError):
    """The file was erased."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"file {file_id!r} is gone")


class NewFile(NamedTuple):
    """A file that is being written."""

    file_id: str
    tenant: str
    name: str
    """As given; it is sealed where content is."""


class StoredFile(NamedTuple):
    """A whole file, but for its bytes."""

    file_id: str
    tenant: str
    name: str
    type: str
    """A MIME type, as its first bytes say."""
    size: int
    """Bytes."""
    sha256: str
    """Of its bytes, hexadecimal."""
    created_us: int
    """Microseconds since 1970, UTC."""
    expires_us: int
    """Until then it is there, even if no run names it."""
    key: str = ""
    """What has sealed its pieces; empty: nothing."""


class FileWriter(Protocol):
    """Takes the bytes of a file; holds at most two pieces of them."""

    size: int
    """Bytes taken so far."""

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    async def finish(self, kind: str) -> StoredFile:
        """The whole file, on the disk, with that MIME type."""
        ...

    async def abort(self) -> None:
        """Remove what was taken; without effect on a whole file."""
        ...


class Files(Protocol):
    """Files, and which runs name them.

    Guarantees, which the contract suite checks on every adapter:

    1. A file is there wholly or not at all; what a dead process has begun is swept.
    2. A file stays while a run names it, and `UNNAMED_US` from its upload and from each naming.
    3. Erasing a run erases the files that only it named; erasing a tenant, all of the tenant.
    4. Where a tenant has a key, or the deployment has payload keys, names and bytes are sealed.

    All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def begin(self, new: NewFile) -> FileWriter:
        """Begin a file.

        Raises:
            TenantErased: the key of its tenant was erased.
        """
        ...

    async def find(self, tenant: Tenant, file_id: str) -> StoredFile | None:
        """The file; None if that tenant has none of that id."""
        ...

    async def find_named(self, run_id: str, file_id: str) -> StoredFile | None:
        """The file, if the run names it."""
        ...

    def read(self, file: StoredFile) -> AsyncGenerator[bytes, None]:
        """Its bytes, piece by piece.

        Raises:
            FileGone: it was erased meanwhile.
            Unreadable: this process lacks the key, or a piece was changed.
        """
        ...

    async def name(
        self, tenant: Tenant, run_id: str, file_ids: Sequence[str]
    ) -> dict[str, StoredFile]:
        """Have the run name these files; those of them that there are, by id."""
        ...

    async def copy_names(self, source: str, run_id: str) -> None:
        """Have a run name all that another one names."""
        ...

    async def held(self, tenant: Tenant) -> int:
        """Bytes of all files of the tenant."""
        ...

    async def forget_run(self, run_id: str) -> None:
        """Erase the files that only this run names; it names none any more."""
        ...

    async def forget_tenant(self, tenant: str) -> None:
        """Erase all files of the tenant."""
        ...

    async def sweep(self, limit: int) -> int:
        """Erase at most `limit` files that may go; returns how many.

        First it drops the names of runs whose events are gone.
        """
        ...
