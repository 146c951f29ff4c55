"""Takes the pictures out of what a tool returned, and keeps them as files of its run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

from temporalio.exceptions import ApplicationError

from relayline.catalog.images import MAX_IMAGE_BYTES, MAX_IMAGES, Image
from relayline.catalog.tools import ToolError
from relayline.contracts.calls import ToolRequest
from relayline.contracts.errors import ErrorType
from relayline.contracts.files.parts import FilePart
from relayline.journal.files.file_port import Files, NewFile
from relayline.journal.files.file_types import sniffed
from relayline.journal.port import JournalError
from relayline.journal.table import EVERY

KEEP_FOR_S = 10.0
"""How long a storage that does not answer is asked again: the tool has run already."""
_PAUSE_S = 0.5
_TAKEN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class Picture(NamedTuple):
    """A picture of a known type; holds nothing of the tool's."""

    data: bytes
    media_type: str
    name: str


def apart(result: object) -> tuple[tuple[Picture, ...], object]:
    """The pictures in a result, and the rest of it with `[image NAME]` in their places.

    Raises:
        ToolError: there are too many, or one is too large or no picture; a retry can't help.
    """
    if isinstance(result, Image):
        picture = _picture(result)
        return (picture,), f"[image {picture.name}]"
    if not isinstance(result, list | tuple) or not any(isinstance(it, Image) for it in result):
        return (), result
    pictures = tuple(_picture(it) for it in result if isinstance(it, Image))
    if len(pictures) > MAX_IMAGES:
        text = f"the tool returned {len(pictures)} images, at most {MAX_IMAGES} are taken"
        raise ToolError(text, retryable=False)
    names = iter(pictures)
    rest = [f"[image {next(names).name}]" if isinstance(it, Image) else it for it in result]
    texts = [it for it in rest if isinstance(it, str)]
    return pictures, "\n".join(texts) if len(texts) == len(rest) else rest


def _picture(image: Image) -> Picture:
    data, name = bytes(image.data), "".join(filter(str.isprintable, str(image.name)))[:200]
    if len(data) > MAX_IMAGE_BYTES:
        text = f"the image {name!r} has {len(data)} bytes, at most {MAX_IMAGE_BYTES} are taken"
        raise ToolError(text, retryable=False)
    kind = sniffed(data)
    if kind not in _TAKEN:
        text = f"the image {name!r} is {kind}, not PNG, JPEG, GIF or WebP"
        raise ToolError(text, retryable=False)
    return Picture(data, kind, name)


class ImageKeeper:
    """Keeps pictures."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def keep(self, request: ToolRequest, pictures: Sequence[Picture]) -> tuple[FilePart, ...]:
        """Store the pictures; the run names them from then on.

        Raises:
            ApplicationError: `journal-unavailable`: the storage did not answer for `KEEP_FOR_S`.
        """
        return tuple([await self._insist(request, picture) for picture in pictures])

    async def _insist(self, request: ToolRequest, picture: Picture) -> FilePart:
        clock = asyncio.get_running_loop().time
        deadline = clock() + KEEP_FOR_S
        while True:
            try:
                return await self._kept(request, picture)
            except JournalError as error:
                if clock() > deadline:
                    raise ApplicationError(str(error), type=ErrorType.JOURNAL_UNAVAILABLE) from None
            await asyncio.sleep(_PAUSE_S)

    async def _kept(self, request: ToolRequest, picture: Picture) -> FilePart:
        new = NewFile(f"file_{uuid4().hex}", request.tenant, picture.name)
        writer = await self._files.begin(new)
        await writer.write(picture.data)
        file = await writer.finish(picture.media_type)
        await self._files.name(EVERY, request.run_id, [file.file_id])
        return FilePart(
            type="image",
            file_id=file.file_id,
            name=file.name,
            media_type=file.type,
            size=file.size,
            sha256=file.sha256,
        )
