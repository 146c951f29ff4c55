"""What a person's text says in answer to an MCP server's question."""

from __future__ import annotations

from typing import Any

import pytest

from relayline.catalog.replies import answer_of
from relayline.contracts.mcp import McpAnswer

Schema = dict[str, Any]
ONE: Schema = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
NAME: Schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
YES: Schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
TWO: Schema = {
    "type": "object",
    "properties": {"size": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["size"],
}


@pytest.mark.parametrize(
    ("schema", "text", "content"),
    [
        (ONE, '{"size": 4}', {"size": 4}),
        (ONE, " 4 ", {"size": 4}),
        (NAME, "Ann of Delft", {"name": "Ann of Delft"}),
        (NAME, '"Ann"', {"name": "Ann"}),
        (NAME, "42", {"name": "42"}),
        (NAME, '{"name": "Ann"}', {"name": "Ann"}),
        (YES, "true", {"yes": True}),
        (TWO, '{"size": 4, "name": "x"}', {"size": 4, "name": "x"}),
        ({"type": "object"}, "go on", {}),
        ({"type": "object"}, '{"any": 1}', {"any": 1}),
    ],
)
def test_a_text_is_the_object_or_its_only_value(
    schema: dict[str, Any], text: str, content: dict[str, Any]
) -> None:
    assert answer_of(schema, text) == McpAnswer(action="accept", content=content)


@pytest.mark.parametrize("word", ["decline", "cancel", " Decline\n"])
def test_a_person_may_say_no(word: str) -> None:
    answer = answer_of(ONE, word)
    assert isinstance(answer, McpAnswer)
    assert (answer.action, answer.content) == (word.strip().lower(), None)


@pytest.mark.parametrize(
    ("schema", "text", "problem"),
    [
        (ONE, "large", "size: 'large' is not of type 'integer'"),
        (ONE, '{"size": "large"}', "size: 'large' is not of type 'integer'"),
        (TWO, "4", "the answer must be a JSON object"),
        (TWO, '{"name": "x"}', "'size' is a required property"),
        (TWO, "[" * 100_000, "the answer must be a JSON object"),
    ],
)
def test_a_text_that_fits_nothing_is_told_why(
    schema: dict[str, Any], text: str, problem: str
) -> None:
    assert answer_of(schema, text) == problem
