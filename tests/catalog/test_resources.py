"""Parameters that take a resource: no model sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest

from relayline import resource, tool


class Pool:
    """What tools share."""


@resource
async def pool() -> AsyncIterator[Pool]:
    yield Pool()


@resource(sync=True)
async def shelf() -> AsyncIterator[dict[str, str]]:
    yield {}


def test_a_resource_is_no_parameter_of_the_model() -> None:
    @tool
    async def looks(article: str, within: Annotated[Pool, pool], on: Annotated[Any, shelf]) -> str:
        return article

    assert list(looks.spec.model_dump()["parameters"]["properties"]) == ["article"]
    assert looks.resources == {"within": pool, "on": shelf}
    assert looks.bind({"article": "tea"}) == {"article": "tea"}


def test_a_tool_in_a_thread_takes_only_what_may_be_used_there() -> None:
    @tool
    def fine(on: Annotated[dict[str, str], shelf]) -> str:
        return ""

    assert fine.resources == {"on": shelf}
    with pytest.raises(TypeError, match=r"'within'.*'pool' is for async tools.*sync=True"):

        @tool
        def wrong(within: Annotated[Pool, pool]) -> str:
            return ""


def test_what_can_not_be_a_resource_is_refused() -> None:
    def plain() -> Iterator[int]:
        yield 1

    async def asking(name: str) -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match="write `async def` with one `yield`"):
        resource(plain)  # type: ignore[arg-type]  # that is tested
    with pytest.raises(TypeError, match="it can't take arguments"):
        resource(asking)  # type: ignore[arg-type]  # that is tested
