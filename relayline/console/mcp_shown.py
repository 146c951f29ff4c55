"""What `relayline mcp` prints of a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from relayline.catalog.servers.mcp import McpServer
from relayline.console.printable import printable
from relayline.contracts.mcp import Listing


class Found(NamedTuple):
    """A server, as it answered."""

    server: McpServer
    era: str
    """`modern`, `legacy`, or empty if it was not reached."""
    version: str
    definitions: list[dict[str, JsonValue]] | None
    """Everything that it lists; None: it did not."""
    listing: Listing | None
    """What is offered of it."""
    error: str
    """Why it can't be used; empty if it can."""
    said: str
    """The end of its stderr then."""

    @property
    def refused(self) -> int:
        """How many tools can't be offered."""
        return len(self.listing.left_out) if self.listing else 0


class Answer(NamedTuple):
    """How a call ended."""

    progress: Sequence[str]
    text: str
    questions: Sequence[str]
    """What the server asks a person; then there is no text."""


def headlines(found: Found) -> Iterator[str]:
    """`git: modern, mcp-git 1.2, 12 tools, 3 can't be offered`; then what it wrote to stderr."""
    parts = [found.error]
    if found.definitions is not None:
        refused = f"{found.refused} can't be offered" if found.refused else ""
        count = f"{len(found.definitions)} tools"
        parts = [found.era, found.version, count, refused, found.error]
    yield printable(f"{found.server.name}: {', '.join(filter(None, parts))}")
    for line in found.said.splitlines():
        yield printable(f"  | {line}")


def tool_lines(found: Found) -> Iterator[str]:
    """A line for each tool that the user wants, aligned."""
    if found.listing is None:
        return
    names = [it.spec.name for it in found.listing.tools] + [
        it.tool for it in found.listing.left_out
    ]
    width = max(map(len, names), default=0)
    for it in found.listing.tools:
        rule = it.spec.approval
        approval = rule if isinstance(rule, str) else "by a rule"
        yield printable(f"  {it.spec.name:{width}}  {it.spec.effects:6}  approval: {approval}")
    for left in found.listing.left_out:
        yield printable(f"  {left.tool:{width}}  not offered: {left.reason}")
