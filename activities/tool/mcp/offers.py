"""Which of a server's tools a model is offered, and as what. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import JsonValue, ValidationError

from relayline.catalog.schemas.patterns import problem
from relayline.catalog.servers.mcp import McpServer, offered
from relayline.contracts.mcp import (
    TOOL_META,
    Hints,
    LeftOutTool,
    Listing,
    McpToolSpec,
    Override,
    ServedTool,
    approval_of,
    call_digest,
    effects_of,
    told_name,
)
from relayline.contracts.mcp.lock import Lock
from relayline.contracts.runs import ToolSpec

MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 32
MAX_DESCRIPTION_CHARS = 16_384
MAX_NAME_CHARS = 128
"""Of a tool, as the protocol has it."""
_RETRIES = 2


def offers(
    server: McpServer,
    definitions: Iterable[tuple[Mapping[str, JsonValue], bool]],
    lock: Lock | None = None,
) -> Listing:
    """The tools that the user wants of this server, in its order.

    Args:
        server: As declared.
        definitions: Each tool as in `tools/list`, and whether it runs as a task only.
        lock: Definitions that are accepted; None: all are.

    Returns:
        Tools that can't be offered are in `left_out`; those that the user does not want, nowhere.
    """
    tools: list[McpToolSpec] = []
    left_out: list[LeftOutTool] = []
    for wire, task_only in definitions:
        name = str(wire["name"])
        if not offered(server, name):
            continue
        reason = "it runs as a task only" if task_only else _problem(wire)
        if reason := reason or (lock.problem(server.name, wire) if lock else None):
            left_out.append(LeftOutTool(server=server.name, tool=name[:200], reason=reason))
        else:
            tools.append(_offer(server, name, wire))
    return Listing(tools=tuple(tools), left_out=tuple(left_out))


def _problem(wire: Mapping[str, Any]) -> str | None:
    if len(wire["name"]) > MAX_NAME_CHARS:
        return f"its name is longer than {MAX_NAME_CHARS} characters"
    return schema_problem(wire["inputSchema"])


def schema_problem(schema: Any) -> str | None:
    """Why arguments can't be checked against a server's schema, None if they can."""
    if not isinstance(schema, dict):
        return "its schema is no object"
    if _depth(schema) > MAX_SCHEMA_DEPTH:
        return f"its schema is nested more than {MAX_SCHEMA_DEPTH} deep"
    if len(json.dumps(schema).encode()) > MAX_SCHEMA_BYTES:
        return f"its schema has more than {MAX_SCHEMA_BYTES} bytes"
    if reason := problem(schema):
        return f"its schema: {reason}"[:500]
    own = {keyword: of for keyword, of in schema.items() if keyword != "$schema"}
    try:
        Draft202012Validator.check_schema(own)
    except SchemaError as error:
        return f"its schema is no JSON Schema: {error.json_path}: {error.message}"[:500]
    return None


def _depth(value: Any) -> int:
    """How deep it is nested, counted to one more than is allowed."""
    level, depth = [value], 0
    while level and depth <= MAX_SCHEMA_DEPTH:
        depth += 1
        inner: list[Any] = []
        for each in level:
            inner += each.values() if isinstance(each, dict) else each
        level = [it for it in inner if isinstance(it, dict | list)]
    return depth


def _offer(server: McpServer, name: str, wire: Mapping[str, Any]) -> McpToolSpec:
    override, served = server.overrides.get(name), _served(server, wire)
    hints = hints_of(wire)
    spec = ToolSpec(
        name=told_name(server.name, name),
        description=str(wire["description"] or "")[:MAX_DESCRIPTION_CHARS],
        parameters=wire["inputSchema"],
        timeout_s=served.timeout_s if served else server.timeout_s,
        retries=served.retries if served else _RETRIES,
        effects=effects_of(hints, trusted=server.trusted, override=override),
        approval=approval_of(hints, trusted=server.trusted, override=override),
    )
    return McpToolSpec(
        server=server.name,
        tool=name,
        spec=_overridden(_believed(spec, served), override),
        digest=call_digest(wire),
    )


def _served(server: McpServer, wire: Mapping[str, Any]) -> ServedTool | None:
    """What a trusted `relayline tools serve` says of the tool; None of any other server."""
    told = (wire.get("_meta") or {}).get(TOOL_META)
    if told is None or not server.trusted:
        return None
    try:
        return ServedTool.model_validate(told)
    except ValidationError:  # of another version: hints hold
        return None


def _believed(spec: ToolSpec, served: ServedTool | None) -> ToolSpec:
    return spec.model_copy(update=dict(served)) if served else spec


def _overridden(spec: ToolSpec, override: Override | None) -> ToolSpec:
    """The user's own words win."""
    own = vars(override) if override else {}
    return spec.model_copy(update={name: it for name, it in own.items() if it is not None})


def hints_of(wire: Mapping[str, Any]) -> Hints:
    """A tool's annotations, the worst where there are none."""
    given = wire.get("annotations") or {}
    names = {
        "read_only": "readOnlyHint",
        "destructive": "destructiveHint",
        "idempotent": "idempotentHint",
        "open_world": "openWorldHint",
    }
    told = {ours: given.get(theirs) for ours, theirs in names.items()}
    return Hints(**{ours: value for ours, value in told.items() if isinstance(value, bool)})
