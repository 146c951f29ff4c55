"""What a server's definitions, results and errors mean; no server is started."""

from __future__ import annotations

from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from pydantic import JsonValue, TypeAdapter

from relayline.activities.tool.mcp.breaker import FAILURES, OPEN_S, Breaker
from relayline.activities.tool.mcp.failures import failure_of
from relayline.activities.tool.mcp.http import NOT_SENT, REFUSED
from relayline.activities.tool.mcp.offers import MAX_SCHEMA_BYTES, offers, schema_problem
from relayline.activities.tool.mcp.opening import mcp_servers
from relayline.activities.tool.mcp.output import questions_of, text_of
from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.catalog.servers.mcp import McpServer
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import McpToolSpec
from relayline.contracts.runs import ToolSpec

SERVER = McpServer("docs", url="http://a", tools=("*",))
OBJECT: dict[str, JsonValue] = {"type": "object"}
BLOCK: TypeAdapter[types.ContentBlock] = TypeAdapter(types.ContentBlock)


def defined(name: str = "read", **parts: Any) -> dict[str, JsonValue]:
    wire = {"name": name, "description": "Reads.", "inputSchema": OBJECT, "outputSchema": None}
    return {**wire, "annotations": None, "_meta": None, **parts}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(depth):
        schema = {"properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], "no object"),
        (nested(40), "nested more than 32 deep"),
        ({"description": "x" * MAX_SCHEMA_BYTES}, "more than 65536 bytes"),
        ({"properties": {"a": {"pattern": r"(?=a)b"}}}, "look-around"),
        ({"properties": {"a": {"type": "odd"}}}, "no JSON Schema"),
    ],
)
def test_a_schema_that_can_t_be_checked_leaves_the_tool_out(schema: Any, problem: str) -> None:
    listing = offers(SERVER, [(defined(inputSchema=schema), False), (defined("other"), False)])
    assert [it.tool for it in listing.tools] == ["other"]
    [left] = listing.left_out
    assert (left.server, left.tool) == ("docs", "read")
    assert problem in left.reason


def test_an_old_draft_and_a_reference_are_no_problem_and_never_fetched() -> None:
    draft = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}
    assert schema_problem(draft) is None
    assert schema_problem({"$ref": "http://127.0.0.1:1/schema"}) is None


def test_tools_that_run_as_tasks_only_or_are_not_wanted_are_left_out() -> None:
    server = McpServer("docs", url="http://a", tools=("re*",))
    wires = [(defined("read"), True), (defined("write"), False), (defined("re.ply"), False)]
    wires.append((defined("re" * 65), False))
    listing = offers(server, wires)
    assert [(it.tool, it.spec.name) for it in listing.tools] == [("re.ply", "docs_re_ply")]
    assert [it.reason for it in listing.left_out] == [
        "it runs as a task only",
        "its name is longer than 128 characters",
    ]


SHOWN = "[image/png, 5 bytes, not shown]"
TEXT = {"type": "text", "text": "hi"}
IMAGE = {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}
FILE = {"type": "resource", "resource": {"uri": "file:///a", "blob": "aGk=", "mimeType": "a/b"}}
INSIDE = {"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}}
LINK = {"type": "resource_link", "uri": "http://169.254.169.254/", "name": "x"}


@pytest.mark.parametrize(
    ("blocks", "structured", "text"),
    [
        ([TEXT, TEXT], None, "hi\nhi"),
        ([TEXT], {"b": 1}, "hi"),
        ([], {"b": 1, "a": "ü"}, '{"a":"ü","b":1}'),
        ([IMAGE], None, SHOWN),
        (
            [IMAGE],
            {"content": [{"data": "aGVsbG8="}]},
            f'{SHOWN}\n{{"content":[{{"data":"{SHOWN}"}}]}}',
        ),
        ([FILE, TEXT], None, "[a/b, 2 bytes, not shown]\nhi"),
        ([INSIDE], {"a": 1}, "inside"),
        ([LINK], None, "http://169.254.169.254/"),
        ([], None, ""),
    ],
)
def test_a_result_is_text(blocks: list[Any], structured: Any, text: str) -> None:
    content = [BLOCK.validate_python(it) for it in blocks]
    result = types.CallToolResult(content=content, structured_content=structured)
    assert text_of(result) == text


def asks(**params: Any) -> types.InputRequiredResult:
    request = {"method": "elicitation/create", "params": {"message": "Which?", **params}}
    return types.InputRequiredResult.model_validate({"inputRequests": {"a": request}})


def test_only_a_question_in_a_form_can_be_asked() -> None:
    asked = questions_of(asks(mode="form", requestedSchema=OBJECT))
    assert [(it.key, it.message, it.answer_schema) for it in asked.questions] == [
        ("a", "Which?", OBJECT)
    ]
    with pytest.raises(McpFailure, match="elicitation/create, which is not offered"):
        questions_of(asks(mode="url", url="http://a", elicitationId="1"))
    with pytest.raises(McpFailure, match="can't be answered"):
        questions_of(asks(mode="form", requestedSchema=nested(40)))


def pinned(effects: Any) -> McpToolSpec:
    spec = ToolSpec(name="docs_read", effects=effects)
    return McpToolSpec(server="docs", tool="read", spec=spec, digest="")


RETRY, FINAL, UNKNOWN = "retry", "final", "unknown"
CODES = {  # of a safe call, of an unsafe one
    types.INVALID_PARAMS: (FINAL, FINAL),
    types.METHOD_NOT_FOUND: (FINAL, FINAL),
    types.INVALID_REQUEST: (FINAL, FINAL),
    types.MISSING_REQUIRED_CLIENT_CAPABILITY: (FINAL, FINAL),
    types.URL_ELICITATION_REQUIRED: (FINAL, FINAL),
    REFUSED: (FINAL, FINAL),
    0: (FINAL, FINAL),
    types.INTERNAL_ERROR: (RETRY, UNKNOWN),
    types.CONNECTION_CLOSED: (RETRY, UNKNOWN),
    types.REQUEST_TIMEOUT: (RETRY, UNKNOWN),
    types.PARSE_ERROR: (RETRY, UNKNOWN),
    types.HEADER_MISMATCH: (RETRY, RETRY),
    NOT_SENT: (RETRY, RETRY),
}


@pytest.mark.parametrize("effects", ["safe", "unsafe"])
@pytest.mark.parametrize("code", CODES)
def test_what_an_error_means(code: int, effects: str) -> None:
    failure = failure_of(MCPError(code, "oh " * 2000), pinned(effects))
    expected = CODES[code][effects == "unsafe"]
    assert isinstance(failure, OutcomeUnknown) == (expected == UNKNOWN)
    assert failure.retryable == (expected == RETRY)
    assert len(str(failure)) < 1200


def test_a_time_out_says_so_and_a_session_that_is_over_ran_nothing() -> None:
    late = failure_of(MCPError(types.REQUEST_TIMEOUT, "x"), pinned("safe"))
    assert late.kind == ErrorType.TOOL_TIMED_OUT
    over = failure_of(MCPError(types.INVALID_REQUEST, "Session terminated"), pinned("unsafe"))
    assert over.retryable
    assert not isinstance(over, OutcomeUnknown)


def test_a_breaker_opens_after_five_failures_and_lets_one_through_later() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for count in range(FAILURES):
        assert breaker.open_s == 0
        assert breaker.failures == count
        breaker.failed("it is down")
        breaker.failed("at the same moment, so of the same cause")
        now += 2
    assert breaker.open_s == OPEN_S - 2
    now += OPEN_S
    assert breaker.open_s == 0
    breaker.failed("still")
    assert breaker.open_s == OPEN_S
    assert 0 < breaker.pause_s <= 2
    breaker.succeeded()
    assert (breaker.open_s, breaker.pause_s, breaker.last_error) == (0, 0, "")


def test_nothing_is_loaded_for_a_catalog_without_servers() -> None:
    assert mcp_servers({}) is None
    made = mcp_servers({"docs": SERVER})
    assert made
    assert made.state("docs").era == ""
