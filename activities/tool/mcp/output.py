"""What an MCP server answers to a call: a result as text, or questions."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types

from relayline.activities.tool.mcp.offers import schema_problem
from relayline.activities.tool.mcp.port import McpFailure
from relayline.contracts.mcp import McpQuestion, McpQuestions

MAX_QUESTIONS = 16
MAX_MESSAGE_CHARS = 4000
MAX_STATE_CHARS = 65_536


def text_of(result: types.CallToolResult) -> str:
    """Texts joined by line breaks, and a line for what is none; nothing is ever fetched.

    Structured content, as canonical JSON, only where no text came. A picture that the server
    repeats in it is left out there.
    """
    blocks = result.content
    lines = [_line(block) for block in blocks]
    if result.structured_content is not None and not any(map(_is_text, blocks)):
        shown = dict(zip(map(_data, blocks), lines, strict=True))
        lines.append(_json(_without(result.structured_content, shown)))
    return "\n".join(lines)


def _is_text(block: types.ContentBlock) -> bool:
    return isinstance(block, types.TextContent) or (
        isinstance(block, types.EmbeddedResource)
        and isinstance(block.resource, types.TextResourceContents)
    )


def _line(block: types.ContentBlock) -> str:
    match block:
        case types.TextContent():
            return block.text
        case types.ResourceLink():
            return str(block.uri)
        case types.EmbeddedResource(resource=types.TextResourceContents(text=text)):
            return text
        case types.EmbeddedResource(resource=types.BlobResourceContents() as resource):
            return _unshown(resource.mime_type or "file", resource.blob)
        case types.ImageContent() | types.AudioContent():
            return _unshown(block.mime_type, block.data)
        case _:
            return "[content of an unknown type, not shown]"


def _unshown(kind: str, data: str) -> str:
    size = len(data) * 3 // 4 - data[-2:].count("=")
    return f"[{kind[:100]}, {size} bytes, not shown]"


def _data(block: types.ContentBlock) -> str | None:
    match block:
        case types.ImageContent() | types.AudioContent():
            return block.data
        case types.EmbeddedResource(resource=types.BlobResourceContents(blob=data)):
            return data
        case _:
            return None


def _without(value: Any, shown: dict[str | None, str]) -> Any:
    """The value, with what a line stands for already replaced by that line."""
    match value:
        case str():
            return shown.get(value, value)
        case dict():
            return {name: _without(of, shown) for name, of in value.items()}
        case list():
            return [_without(each, shown) for each in value]
        case _:
            return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def questions_of(result: types.InputRequiredResult) -> McpQuestions:
    """What the server asks, for a person.

    Raises:
        McpFailure: it asks for something else than an answer in a form, or for too much.
    """
    asked = tuple(_question(key, it) for key, it in (result.input_requests or {}).items())
    if len(asked) > MAX_QUESTIONS or len(result.request_state or "") > MAX_STATE_CHARS:
        raise McpFailure("the tool asks for more than is allowed at once")
    return McpQuestions(questions=asked, state=result.request_state)


def _question(key: str, request: types.InputRequest) -> McpQuestion:
    params = request.params
    if not isinstance(params, types.ElicitRequestFormParams):
        raise McpFailure(f"the tool asks for {request.method}, which is not offered")
    if reason := schema_problem(params.requested_schema):
        raise McpFailure(f"the tool asks a question that can't be answered: {reason}")
    message = params.message[:MAX_MESSAGE_CHARS]
    return McpQuestion(key=key, message=message, answer_schema=params.requested_schema)
