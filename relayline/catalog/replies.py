"""What a person's text says in answer to an MCP server's question. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from relayline.catalog.schemas.schema import mismatch
from relayline.contracts.mcp import McpAnswer


def answer_of(schema: Mapping[str, JsonValue], text: str) -> McpAnswer | str:
    """The answer that a text gives, or why it gives none.

    `decline` and `cancel` say no. Any other text is the object as JSON; where the object has only
    one property, it may be the value of that; where it has none, any text accepts.
    """
    said = text.strip()
    match said.lower():
        case "decline":
            return McpAnswer(action="decline")
        case "cancel":
            return McpAnswer(action="cancel")
    problem = ""
    for content in _meanings(schema, said):
        misfit = mismatch(schema, content)
        if misfit is None:
            return McpAnswer(action="accept", content=content)
        problem = problem or misfit
    return problem or "the answer must be a JSON object"


def _meanings(schema: Mapping[str, JsonValue], text: str) -> Iterator[dict[str, JsonValue]]:
    """What the text may mean, the likeliest first."""
    value = _parsed(text)
    if isinstance(value, dict):
        yield value
    properties = schema.get("properties")
    names = list(properties) if isinstance(properties, dict) else []
    if not names:
        yield {}
    if len(names) == 1:
        if not isinstance(value, dict | str):
            yield {names[0]: value}
        yield {names[0]: value if isinstance(value, str) else text}


def _parsed(text: str) -> JsonValue:
    """The text as JSON; as it is if it is none."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value
