"""Where a value does not fit, told as the library would, but in bounded work."""

from __future__ import annotations

from typing import Any, SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from relayline.catalog.schema import mismatch, mismatches
from tests.examples import examples

NUMBERS: dict[str, Any] = {"type": "array", "items": {"type": "number"}, "maxItems": 3}
WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
SCHEMAS: list[dict[str, Any]] = [
    {"anyOf": [NUMBERS, {"type": "null"}]},
    {"oneOf": [NUMBERS, WORDS, {"maxItems": 1}]},
    {"uniqueItems": True},
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
