"""A call of an MCP server's tool, after its list has been pinned."""

from __future__ import annotations

from typing import Any

from temporalio.exceptions import ApplicationError

from relayline.activities.tool.served.pinned import listed_fact
from relayline.contracts.calls import ToolOutcome
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    InputReceived,
)
from relayline.contracts.keys import (
    asked_id,
    asked_key,
    resolved_key,
    tools_key,
)
from relayline.contracts.mcp import (
    Listing,
)
from relayline.contracts.mcp.planned import AskedBefore, McpPlan
from tests.activities.fake_servers import FakeServers, served
from tests.activities.tool.conftest import CALL, Bench, failure


class Served:
    """A call of `notes_add` with the text `x`, after its list has been pinned."""

    def __init__(self, bench: Bench, *results: object, **spec: Any) -> None:
        self.bench = bench
        self.tool = served("add", **{"effects": "unsafe", **spec})
        self.servers = FakeServers(self.tool, results=results)
        self.runs = 0
        self.asked: AskedBefore | None = None

    async def plan(self, arguments: dict[str, Any] | None = None) -> None:
        """What the model call has left in the journal."""
        body = listed_fact(("notes",), Listing(tools=(self.tool,)))
        await self.bench.journal.append(self.bench.run_id, [NewEvent(key=tools_key(0), body=body)])
        await self.bench.plan("notes_add", {"text": "x"} if arguments is None else arguments)

    def changes(self, **changes: Any) -> dict[str, Any]:
        spec = self.tool.spec
        plan = McpPlan(
            server="notes",
            listed=tools_key(0),
            effects=spec.effects,
            approval_timeout_s=60,
            timeout_s=spec.timeout_s,
            retries=spec.retries,
            asked=self.asked,
        )
        given = {"mcp": plan, "name": "notes_add", "servers": self.servers}
        return given | {"run": self.runs} | changes

    async def call(self, attempt: int = 1, **changes: Any) -> ToolOutcome:
        return await self.bench.call(None, attempt, **self.changes(**changes))

    async def fails(self, attempt: int = 1, **changes: Any) -> ApplicationError:
        return await failure(self.bench, None, attempt, **self.changes(**changes))

    async def answer(self, *texts: str) -> None:
        """People answer; the next call is the next run."""
        ids = tuple(asked_id(0, CALL, self.runs, number) for number in range(len(texts)))
        facts = [
            NewEvent(key=resolved_key(id_), body=InputReceived(request_id=id_, text=text))
            for id_, text in zip(ids, texts, strict=True)
        ]
        await self.bench.journal.append(self.bench.run_id, facts)
        self.asked = AskedBefore(key=asked_key(0, CALL, self.runs), requests=ids)
        self.runs += 1
