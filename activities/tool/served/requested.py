"""What people are told when a call of an MCP server's tool waits for them, from the journal."""

from __future__ import annotations

from relayline.activities.tool.served.questions import open_questions
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ToolAsked, ToolsListed
from relayline.contracts.keys import asked_number
from relayline.contracts.mcp import McpToolSpec
from relayline.journal.port import Journal
from relayline.journal.table import EVERY


async def definition(journal: Journal, run_id: str, key: str, name: str) -> dict[str, object]:
    """Fields of an `approval.requested`, as the run has pinned the tool; none if it has not.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    stored = await journal.get(EVERY, run_id, key)
    body = stored.body() if stored else None
    tools = map(McpToolSpec.model_validate, body.specs if isinstance(body, ToolsListed) else ())
    spec = next((tool.spec for tool in tools if tool.spec.name == name), None)
    return {"parameters": spec.parameters, "why": spec.approved_when} if spec else {}


async def question(
    journal: Journal, run_id: str, fact: NewEvent, request_id: str
) -> dict[str, object]:
    """Fields of an `input.requested`, as the server has asked; none if the journal lacks that.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    stored = await journal.get(EVERY, run_id, fact.source)
    body = stored.body() if stored else None
    asked = open_questions(body) if isinstance(body, ToolAsked) else ()
    number = asked_number(request_id)
    if number >= len(asked):
        return {}
    return {"question": asked[number].message, "data_schema": asked[number].answer_schema}
