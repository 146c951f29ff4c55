"""The tool `search_files`: finds lines that contain a text in the files of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from relayline.activities.tool.toolbox.files import Folder
from relayline.catalog.tools import Tool, ToolContext, ToolError, tool

MAX_MATCHES = 100
MAX_FILES = 10_000
MAX_FILE_BYTES = 1024 * 1024
MAX_LINE_CHARS = 200
SKIPPED = {"node_modules", "__pycache__", "venv"}
"""Folders to skip, besides those whose name begins with a dot."""


def search_files_in(folder: Folder) -> Tool:
    """`search_files` under that folder."""

    @tool(timeout_s=30)
    def search_files(context: ToolContext, query: str, path: str = ".", glob: str = "*") -> str:
        """Search text files for lines that contain a text; ignores case.

        `path` is a folder or a file to search in, `glob` a pattern for file names such as *.md.
        Returns path:line: text, at most 100 matches.
        """
        if not query.strip():
            raise ToolError("query is empty", retryable=False)
        start = folder.inside(path)
        if not start.exists():
            raise ToolError(f"there is no {path!r}", retryable=False)
        return _search(context, folder.root, start, glob, query.lower())

    return search_files


def _search(context: ToolContext, root: Path, start: Path, glob: str, wanted: str) -> str:
    matches: list[str] = []
    searched = 0
    for file in _files(start, glob):
        if context.cancelled:
            raise ToolError("the search was cancelled")
        if searched == MAX_FILES:
            matches.append(f"[stopped after {MAX_FILES} files: give a folder or a glob]")
            break
        searched += 1
        for number, line in _matching(file, wanted):
            matches.append(f"{file.relative_to(root)}:{number}: {line[:MAX_LINE_CHARS]}")
            if len(matches) == MAX_MATCHES:
                return "\n".join([*matches, f"[stopped after {MAX_MATCHES} matches]"])
    return "\n".join(matches) if matches else f"no match in {searched} files"


def _files(start: Path, glob: str) -> Iterator[Path]:
    """Regular files, sorted; symbolic links are not followed."""
    if start.is_file():
        yield start
        return
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in SKIPPED
        )
        for name in sorted(names):
            file = Path(folder, name)
            if fnmatch(name, glob) and file.is_file() and not file.is_symlink():
                yield file


def _matching(file: Path, wanted: str) -> Iterator[tuple[int, str]]:
    """Lines that contain the text; binary, large or unreadable files have none."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            return
        data = file.read_bytes()
    except OSError:  # deleted or unreadable: search the other files
        return
    text = "" if b"\0" in data else data.decode("utf-8", "replace")
    if wanted not in text.lower():
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if wanted in line.lower():
            yield number, line.strip()
