"""The lists of MCP servers' tools that runs have pinned in their journals."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from temporalio.exceptions import ApplicationError

from relayline.activities.attempt import Attempt
from relayline.activities.threads import in_thread
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ToolsListed
from relayline.contracts.events.servers import ListedTool
from relayline.contracts.mcp import Listing, McpToolSpec

LISTED = "tools.listed"
MAX_KNOWN = 64
"""Lists that a worker remembers."""


class PinnedList(NamedTuple):
    """The tools that a run has of its MCP servers."""

    key: str
    """Of its fact."""
    servers: tuple[str, ...]
    sha256: str
    tools: Mapping[str, McpToolSpec]
    """By the name that the model knows."""


class PinnedTools:
    """Reads the lists of runs. For one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], PinnedList] = OrderedDict()

    async def at(self, attempt: Attempt, key: str) -> PinnedList:
        """The list with that key in the attempt's run.

        Raises:
            ApplicationError: `journal-incomplete`, final: there is none. The journal's errors, as
                in `Attempt`.
        """
        if known := self._known.get((attempt.run_id, key)):
            return known
        fact = await attempt.get(key)
        if fact is None or fact.type != LISTED:
            raise ApplicationError(
                f"the journal does not have the list of tools {key!r}: was it restored from an "
                "older backup than Temporal's?",
                type=ErrorType.JOURNAL_INCOMPLETE,
                non_retryable=True,
            )
        return await self.of(fact)

    async def of(self, fact: StoredEvent) -> PinnedList:
        """The list that the fact `tools.listed` tells."""
        place = (fact.run_id, fact.key or "")
        found = self._known.pop(place, None)
        if found is None:
            found = await in_thread(partial(_read, fact), [fact.data])
        self._known[place] = found
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return found


def _read(fact: StoredEvent) -> PinnedList:
    body = ToolsListed.model_validate_json(fact.data)
    specs = map(McpToolSpec.model_validate, body.specs)
    tools = {tool.spec.name: tool for tool in specs}
    return PinnedList(fact.key or "", body.servers, body.sha256, tools)


def listed_fact(servers: Sequence[str], listing: Listing) -> ToolsListed:
    """The list as a fact; its digest covers the servers, the tools whole, and who is missing."""
    specs = tuple(tool.model_dump(mode="json") for tool in listing.tools)
    missing = [it.server for it in listing.missing]
    text = json.dumps([servers, specs, missing], sort_keys=True, separators=(",", ":"))
    return ToolsListed(
        servers=tuple(servers),
        tools=tuple(
            ListedTool(name=tool.spec.name, digest=tool.digest, server=tool.server)
            for tool in listing.tools
        ),
        missing=listing.missing,
        left_out=listing.left_out,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        specs=specs,
    )
