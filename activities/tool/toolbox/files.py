"""The tools `read_file` and `write_file`, and the folder that file tools can access."""

from __future__ import annotations

import codecs
import os
import secrets
import shutil
from pathlib import Path
from typing import Annotated

from pydantic import Field

from relayline.catalog.tools import Tool, ToolError, tool

READ_BYTES = 64 * 1024
MAX_READ_BYTES = 192 * 1024
MAX_WRITE_CHARS = 1024 * 1024


class Folder:
    """A folder that refuses paths leading out of it through `..` or symbolic links."""

    def __init__(self, root: Path) -> None:
        self._given = root

    @property
    def root(self) -> Path:
        """The absolute path of the folder, with symbolic links resolved."""
        return self._given.resolve()

    def inside(self, path: str) -> Path:
        """The absolute path, with symbolic links resolved.

        Raises:
            ToolError: the path is invalid or outside the folder.
        """
        try:
            resolved = (self.root / path).resolve()
            resolved.exists()  # raises if the system does not accept the path
        except (OSError, RuntimeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            message = f"{path[:200]!r} can't be used as a path: {reason}"
            raise ToolError(message, retryable=False) from error
        if not resolved.is_relative_to(self.root):
            raise ToolError(
                f"{path!r} is outside the files root; give a path relative to it", retryable=False
            )
        return resolved


def file_tools(folder: Folder) -> tuple[Tool, ...]:
    """`read_file` and `write_file` under that folder."""

    @tool(timeout_s=20)
    def read_file(
        path: str,
        offset: Annotated[int, Field(ge=0)] = 0,
        limit: Annotated[int, Field(ge=4, le=MAX_READ_BYTES)] = READ_BYTES,
    ) -> str:
        """Read a text file, from a byte offset, at most `limit` bytes of it."""
        return _read(folder.inside(path), path, offset, limit)

    @tool(timeout_s=20, approval="always")
    def write_file(path: str, content: Annotated[str, Field(max_length=MAX_WRITE_CHARS)]) -> str:
        """Write a text file; replaces the file if it exists."""
        return _write(folder.inside(path), path, content)

    return read_file, write_file


def _read(file: Path, path: str, offset: int, limit: int) -> str:
    """The text, and how to read the rest if there is more."""
    try:
        if file.is_dir():
            raise ToolError(f"{path!r} is a folder; it contains: {_listing(file)}", retryable=False)
        if not file.is_file():
            raise ToolError(f"there is no file {path!r}", retryable=False)
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            opened.seek(offset)
            data = opened.read(limit)
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


def _listing(folder: Path) -> str:
    """The first 50 names in a folder; subfolders end with a slash."""
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    return ", ".join(names[:50]) + (" …" if len(names) > 50 else "")


def _write(file: Path, path: str, content: str) -> str:
    """Replace the file atomically, so that nobody ever sees half of it."""
    data = content.encode("utf-8", "replace")
    draft = file.with_name(f".{file.name[:100]}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(data)
            if file.exists():
                shutil.copymode(file, draft)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ToolError(f"{path!r} can't be written: {error.strerror}", retryable=False) from error
    return f"wrote {len(data)} bytes to {path}"
