"""Where a value does not fit, told as the library would, but in bounded work."""

from __future__ import annotations

import time
from typing import Any, SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from relayline.catalog.schemas.patterns import problem
from relayline.catalog.schemas.schema import mismatch, mismatches, needs_approval
from relayline.contracts.runs import ApprovalRule, ToolSpec
from tests.examples import examples

NUMBERS: dict[str, Any] = {"type": "array", "items": {"type": "number"}, "maxItems": 3}
WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
SCHEMAS: list[dict[str, Any]] = [
    {"anyOf": [NUMBERS, {"type": "null"}]},
    {"oneOf": [NUMBERS, WORDS, {"maxItems": 1}]},
    {"uniqueItems": True},
    {"pattern": "^a|b$", "propertyNames": {"pattern": "^[ab]$"}},
    {"patternProperties": {"^a": {"type": "number"}}, "additionalProperties": False},
    {"properties": {"b": True}, "patternProperties": {"a": WORDS}, "additionalProperties": WORDS},
    {"enum": [1, True, "a", None, [1], {"a": 0}]},
    {"items": {"enum": [0, False]}, "additionalProperties": {"enum": [[], 1.0]}},
    {"properties": {"a": {"anyOf": [{"oneOf": [WORDS, NUMBERS]}, {"uniqueItems": True}]}}},
]
LEAVES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, "a", "b"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda of: st.lists(of, max_size=4) | st.dictionaries(st.sampled_from("ab"), of)
)


@examples(300)
@given(st.sampled_from(SCHEMAS), VALUES)
def test_a_value_fits_or_not_as_the_library_says(schema: dict[str, Any], value: Any) -> None:
    assert (not mismatches(schema, value)) is Draft202012Validator(schema).is_valid(value)


class Counted(list[Any]):
    """A list that counts how often one of its values is looked at."""

    looks = 0

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        self.looks += 1
        return super().__getitem__(index)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (WORDS, ["[0]: 1 is not of type 'string'", "[1]: 1", "[2]: 1"]),
        ({"anyOf": [WORDS, {"type": "null"}]}, ["is not valid under any of the given schemas"]),
        ({"oneOf": [WORDS, {"type": "null"}]}, ["is not valid under any of the given schemas"]),
    ],
)
def test_of_very_many_misfits_only_the_first_are_looked_for(
    schema: dict[str, Any], said: list[str]
) -> None:
    value = Counted([1] * 10_000)
    found = (mismatch(schema, value) or "").split("; ")
    assert len(found) == len(said)
    assert all(part in one for part, one in zip(said, found, strict=True))
    assert value.looks <= 3


def test_whether_many_values_are_unique_is_told_without_comparing_each_with_each() -> None:
    many: list[Any] = [{"a": number} for number in range(20_000)]
    assert not mismatches({"uniqueItems": True}, many)
    assert mismatches({"uniqueItems": True}, [*many, {"a": 7.0}])


BRANCH: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#"}}}
NODE: dict[str, Any] = {"anyOf": [BRANCH, BRANCH]}
"""Takes twice as long for each further level of a value that does not match."""
DEEP: Any = "leaf"
for _ in range(40):
    DEEP = {"a": DEEP}
DEEPER: Any = {}
for _ in range(5_000):
    DEEPER = {"a": DEEPER}
ODD = [
    (NODE, DEEP, "too many steps"),
    ({"properties": {"a": {"$ref": "#"}}}, DEEPER, "nested too deeply"),
    ({"$ref": "#"}, 1, "circular"),
    (
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        1,
        "circular",
    ),
    ({"$ref": "http://127.0.0.1:1/x"}, 1, "leads nowhere"),
    ({"$ref": "file:///etc/passwd"}, 1, "leads nowhere"),
    ({"$ref": "#/$defs/a"}, 1, "leads nowhere"),
    ({"$dynamicRef": "#a"}, 1, "leads nowhere"),
    ({"multipleOf": 0.1}, 10**400, "does not allow"),
    ({"multipleOf": 0}, 1, "does not allow"),
    ({"minimum": "x"}, 1, "does not allow"),
    ({"type": "nope"}, 1, "does not allow"),
]


@pytest.mark.parametrize(("schema", "value", "why"), ODD)
def test_a_value_that_cannot_be_checked_does_not_match_and_asks_a_person(
    schema: dict[str, Any], value: Any, why: str
) -> None:
    begin = time.thread_time()
    assert why in str(mismatch(schema, value))
    assert time.thread_time() - begin < 3
    rule = ApprovalRule(when={"properties": {"x": schema}})
    assert needs_approval(ToolSpec(name="send", approval=rule), {"x": value})


@pytest.mark.slow
def test_many_choices_for_many_values_are_looked_through_fast() -> None:
    choices: list[Any] = [*range(5_000), "x", [1], {"a": True}]
    begin = time.thread_time()
    assert not mismatches({"items": {"enum": choices}}, [4_999] * 2_000)
    assert time.thread_time() - begin < 6
    cases: list[tuple[Any, bool]] = [([1.0], True), ([True], False), ({"a": True}, True)]
    for value, fits in [*cases, ({"a": 1}, False)]:
        assert (not mismatches({"enum": choices}, value)) is fits


EXPLODING = "^(a+)+$"
"""Python's `re` takes twice as long for each further `a` before something else."""
FOUL = "a" * 50_000 + "!"


@pytest.mark.parametrize(
    ("schema", "value", "matches"),
    [
        ({"pattern": EXPLODING}, FOUL, False),
        ({"propertyNames": {"pattern": EXPLODING}}, {FOUL: 1}, False),
        ({"patternProperties": {EXPLODING: {"type": "string"}}}, {FOUL: 1}, True),
        (
            {"patternProperties": {EXPLODING: True}, "additionalProperties": False},
            {FOUL: 1},
            False,
        ),
        (
            {"patternProperties": {EXPLODING: True}, "additionalProperties": WORDS},
            {FOUL: ["a"]},
            True,
        ),
        (
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "pattern": EXPLODING,
                "items": {"$ref": "#"},
            },
            [FOUL],
            False,
        ),
    ],
)
def test_a_pattern_takes_time_proportional_to_the_text(
    schema: dict[str, Any], value: Any, matches: bool
) -> None:
    begin = time.thread_time()
    assert (not mismatches(schema, value)) is matches
    assert time.thread_time() - begin < 1


def test_a_name_that_no_pattern_allows_is_told() -> None:
    schema: dict[str, Any] = {"patternProperties": {"^x-": True}, "additionalProperties": False}
    assert mismatch(schema, {"x-a": 1, "y": 2}) == (
        "Additional properties are not allowed ('y' was unexpected)"
    )


def test_a_pattern_of_an_older_run_that_cannot_be_compiled_is_left_out() -> None:
    assert not mismatches({"pattern": "^(?!x)"}, "x")


def test_a_rule_with_such_a_pattern_always_asks_a_person() -> None:
    rule = ApprovalRule(when={"properties": {"to": {"not": {"pattern": "^(?!x)"}}}})
    assert needs_approval(ToolSpec(name="send", approval=rule), {"to": "x"})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"pattern": "^(?!x)"}, "look-around"),
        ({"properties": {"a": {"items": {"pattern": r"(a)\1"}}}}, "backreferences"),
        ({"$defs": {"a": {"patternProperties": {"(": {}}}}}, "unclosed group"),
        ({"anyOf": [{"pattern": r"\w{1,4096}"}]}, "exceeds size limit"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "not supported"),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}, "outermost"),
        ({"pattern": EXPLODING}, None),
        ({"properties": {"pattern": {"type": "string"}}}, None),
        ({"enum": [{"pattern": "("}], "default": {"pattern": "("}}, None),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_told(
    schema: dict[str, Any], said: str | None
) -> None:
    told = problem(schema)
    assert told == said or (said and said in (told or ""))
