"""The pages that people read: which ones there are, their headings, links, paths and code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT).parts,
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_SUFFIXES = frozenset(
    {".conf", ".json", ".md", ".patch", ".py", ".sh", ".sql", ".template", ".toml", ".yaml", ".yml"}
)


_ELSEWHERE = frozenset({".relayline", ".venv", "src"})
"""Folders that are not in the repository: commands make them, or a decision was against them."""


class Block(NamedTuple):
    """Fenced code."""

    language: str
    text: str


def name_of(page: Path) -> str:
    """The page's path from the root, for test ids and messages."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced code of these languages, in order."""
    found = (Block(*match.groups()) for match in _FENCE.finditer(page.read_text()))
    return [block.text for block in found if block.language in languages]


def prose(page: Path) -> str:
    """The page without its fenced code."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What `#…` may name in the page, as GitHub makes it from headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        repeated = 0
        while (name := f"{slug}-{repeated}" if repeated else slug) in found:
            repeated += 1
        found.add(name)
    return found


def links(page: Path) -> list[str]:
    """Targets of links that lead to another place of this repository."""
    return [link for link in _LINK.findall(prose(page)) if not re.match(r"[a-z]+:", link)]


def paths(page: Path) -> Iterator[str]:
    """What is in backticks and looks like a path of this repository.

    That is a file of a kind that there is, or a folder, with a slash in it; or anything below one
    of the folders at the top.
    """
    top = {entry.name for entry in ROOT.iterdir() if entry.is_dir()} - _ELSEWHERE
    for code in _CODE.findall(prose(page)):
        first, slash, _ = code.partition("/")
        if slash and first not in _ELSEWHERE and _PATH.fullmatch(code):
            is_file = Path(code).suffix in _SUFFIXES
            if is_file or code.endswith("/") or first in top:
                yield code
