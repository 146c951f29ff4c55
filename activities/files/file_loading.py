"""Loads the files of a run for one call of a model, within the worker's memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from relayline.activities.files.file_budget import FileBudget
from relayline.activities.model.port import Loaded, Prompt, ProviderError
from relayline.catalog.media import takes_url
from relayline.catalog.tools import ToolError
from relayline.contracts.files.parts import FilePart, files_in
from relayline.contracts.messages import Message, ToolMessage, UserMessage
from relayline.journal.files.file_port import FileGone, Files, NewFile, StoredFile
from relayline.journal.files.file_types import HEAD_BYTES, sniffed
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import EVERY

COPIES = 3
"""A file takes so many times its size: its bytes, in base64, and in the text of the request."""
Fetch: TypeAlias = Callable[[str], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens a URL; raises `ToolError` if it may not be reached, or answers badly."""


class FileLoader:
    """Loads files; what is under way at a time fits into the budget."""

    def __init__(
        self, files: Files, budget: FileBudget, fetch: Fetch | None = None, max_bytes: int = 0
    ) -> None:
        """Load nothing yet.

        Args:
            files: Where they are.
            budget: What all calls of the worker share.
            fetch: Opens URLs for providers that take none; None: these are left out.
            max_bytes: The largest file that is fetched.
        """
        self._files = files
        self._budget = budget
        self._fetch = fetch
        self._max_bytes = max_bytes

    @asynccontextmanager
    async def loaded(self, prompt: Prompt) -> AsyncIterator[Mapping[str, Loaded]]:
        """The files that the messages name, by id or URL, for the block; erased ones are missing.

        Raises:
            ProviderError: the storage did not answer, or a URL; or they are too much for any call.
        """
        try:
            found = await self._found(prompt)
            size = COPIES * sum(file.size for file in found.values())
            if size > self._budget.limit:
                raise ProviderError(
                    f"the files of this run take {size} bytes of memory, and a worker has "
                    f"{self._budget.limit} (RELAYLINE_FILE_MEMORY_BYTES)",
                    retryable=False,
                )
            async with self._budget.held(size):
                yield {name: await self._read(file) for name, file in found.items()}
        except (FileGone, JournalUnavailable) as error:
            text = "the files of this run can't be read now"
            raise ProviderError(text, retryable=True) from error

    async def _found(self, prompt: Prompt) -> dict[str, StoredFile]:
        found: dict[str, StoredFile] = {}
        for part in named_in(prompt.messages):
            name = part.file_id or part.url
            if name in found or (part.url and takes_url(prompt.model, part.type)):
                continue
            file_id = part.file_id or fetched_id(prompt.run_id, part.url)
            file = await self._files.find_named(prompt.run_id, file_id)
            if file is None and part.url and self._fetch:
                file = await self._fetched(prompt, part.url, file_id, self._fetch)
            if file is not None:
                found[name] = file
        return found

    async def _fetched(self, prompt: Prompt, url: str, file_id: str, fetch: Fetch) -> StoredFile:
        """Fetch it once for the run: what later calls see is the same, whatever becomes of the URL.

        Raises:
            ProviderError: it may not be reached, answers badly, or is too large.
        """
        writer = await self._files.begin(NewFile(file_id, prompt.tenant, url.rpartition("/")[2]))
        head, whole = b"", False
        try:
            async with fetch(url) as body:
                async for data in body:
                    head += data[: max(HEAD_BYTES - len(head), 0)]
                    if writer.size + len(data) > self._max_bytes:
                        text = f"{url}: is larger than {self._max_bytes} bytes"
                        raise ProviderError(text, retryable=False)
                    await writer.write(data)
            file = await writer.finish(sniffed(head))
            whole = True
        except ToolError as error:
            raise ProviderError(str(error), retryable=error.retryable) from None
        finally:
            if not whole:
                await writer.abort()
        return (await self._files.name(EVERY, prompt.run_id, [file_id])).get(file_id, file)

    async def _read(self, file: StoredFile) -> Loaded:
        data = b"".join([piece async for piece in self._files.read(file)])
        return Loaded(data, file.type, file.name)


def named_in(messages: Iterable[Message]) -> Iterable[FilePart]:
    """The files that messages name."""
    for message in messages:
        if isinstance(message, UserMessage):
            yield from files_in(message.parts)
        elif isinstance(message, ToolMessage):
            yield from message.files


def fetched_id(run_id: str, url: str) -> str:
    """The id of what the run has fetched from there."""
    return f"file_{hashlib.sha256(f'{run_id} {url}'.encode()).hexdigest()[:32]}"
