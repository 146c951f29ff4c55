"""The tools `read_file` and `write_file`."""

from __future__ import annotations

import codecs
import os
import secrets
import stat
from typing import Annotated

from pydantic import Field

from relayline.activities.tool.toolbox.folder import Folder, Parts, View
from relayline.catalog.tools import Tool, ToolContext, ToolError, tool

READ_BYTES = 64 * 1024
MAX_READ_BYTES = 192 * 1024
MAX_WRITE_CHARS = 1024 * 1024


def file_tools(folder: Folder) -> tuple[Tool, ...]:
    """`read_file` and `write_file` under that folder."""

    @tool(timeout_s=20)
    def read_file(
        context: ToolContext,
        path: str,
        offset: Annotated[int, Field(ge=0)] = 0,
        limit: Annotated[int, Field(ge=4, le=MAX_READ_BYTES)] = READ_BYTES,
    ) -> str:
        """Read a text file, from a byte offset, at most `limit` bytes of it."""
        return _read(folder, context.tenant, path, (offset, limit))

    @tool(timeout_s=20, approval="always")
    def write_file(
        context: ToolContext,
        path: str,
        content: Annotated[str, Field(max_length=MAX_WRITE_CHARS)],
    ) -> str:
        """Write a text file; replaces the file if it exists."""
        return _write(folder, context.tenant, path, content)

    return read_file, write_file


def _read(folder: Folder, tenant: str, path: str, span: tuple[int, int]) -> str:
    """The text, and how to read the rest if there is more; `span`: offset and limit."""
    offset, limit = span
    try:
        with folder.of(tenant).view() as view:
            data, size = _data(view, view.parts(path), path, offset, limit)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ToolError(f"there is no file {path!r}", retryable=False) from error
    except OSError as error:
        raise ToolError(f"{path!r} can't be read: {error.strerror}", retryable=False) from error
    if b"\0" in data:
        raise ToolError(f"{path!r} is not a text file", retryable=False)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=offset + len(data) >= size)
    end = offset + len(data) - len(decoder.getstate()[0])
    if end >= size:
        return text
    return f"{text}\n[cut at byte {end} of {size}: continue with offset={end}]"


def _data(view: View, parts: Parts, path: str, offset: int, limit: int) -> tuple[bytes, int]:
    """Some bytes of the file, and its size."""
    with view.open(parts) as opened:
        found = os.fstat(opened)
        if stat.S_ISDIR(found.st_mode):
            listing = _listing(view, parts)
            raise ToolError(f"{path!r} is a folder; it contains: {listing}", retryable=False)
        os.lseek(opened, min(offset, found.st_size), os.SEEK_SET)
        with os.fdopen(os.dup(opened), "rb") as file:
            return file.read(limit), found.st_size


def _listing(view: View, parts: Parts) -> str:
    """The first 50 names in a folder; subfolders end with a slash."""
    names = [f"{entry.name}/" if entry.is_folder else entry.name for entry in view.entries(parts)]
    return ", ".join(names[:50]) + (" …" if len(names) > 50 else "")


def _write(folder: Folder, tenant: str, path: str, content: str) -> str:
    """Replace the file atomically."""
    data = content.encode("utf-8", "replace")
    try:
        with folder.of(tenant).view() as view:
            view.replace(view.parts(path), data, f".writing-{secrets.token_hex(8)}")
    except OSError as error:
        raise ToolError(f"{path!r} can't be written: {error.strerror}", retryable=False) from error
    return f"wrote {len(data)} bytes to {path}"
