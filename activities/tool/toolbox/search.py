"""The tool `search_files`: finds lines that contain a text in the files of a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatch

from relayline.activities.tool.toolbox.folder import Folder, Parts, View
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
        try:
            with folder.of(context.tenant).view() as view:
                start = view.parts(path)
                view.stat(start)
                return _search(context, view, start, glob, query.lower())
        except OSError as error:
            raise ToolError(f"there is no {path!r}", retryable=False) from error

    return search_files


def _search(context: ToolContext, view: View, start: Parts, glob: str, wanted: str) -> str:
    matches: list[str] = []
    searched = 0
    for file in _files(view, start, glob):
        if context.cancelled:
            raise ToolError("the search was cancelled")
        if searched == MAX_FILES:
            matches.append(f"[stopped after {MAX_FILES} files: give a folder or a glob]")
            break
        searched += 1
        for number, line in _matching(view, file, wanted):
            matches.append(f"{'/'.join(file)}:{number}: {line[:MAX_LINE_CHARS]}")
            if len(matches) == MAX_MATCHES:
                return "\n".join([*matches, f"[stopped after {MAX_MATCHES} matches]"])
    return "\n".join(matches) if matches else f"no match in {searched} files"


def _files(view: View, start: Parts, glob: str) -> Iterator[Parts]:
    """Visible regular files, sorted; symbolic links are not followed."""
    if stat.S_ISREG(view.stat(start).st_mode):
        yield start
        return
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        try:
            entries = view.entries(folder)
        except OSError:  # deleted, unreadable or too deep: search the other folders
            continue
        for entry in entries:
            if entry.is_file and fnmatch(entry.name, glob):
                yield (*folder, entry.name)
        waiting += [
            (*folder, entry.name)
            for entry in reversed(entries)
            if entry.is_folder and not entry.name.startswith(".") and entry.name not in SKIPPED
        ]


def _matching(view: View, file: Parts, wanted: str) -> Iterator[tuple[int, str]]:
    """Lines that contain the text; binary, large or unreadable files have none."""
    try:
        with view.open(file) as opened:
            if os.fstat(opened).st_size > MAX_FILE_BYTES:
                return
            with os.fdopen(os.dup(opened), "rb") as content:
                data = content.read()
    except OSError:  # deleted or unreadable: search the other files
        return
    text = "" if b"\0" in data else data.decode("utf-8", "replace")
    if wanted not in text.lower():
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if wanted in line.lower():
            yield number, line.strip()
