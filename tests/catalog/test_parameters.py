"""What a model sees of a function, whatever kind of callable it is."""

from __future__ import annotations

import functools
import inspect
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import date
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BaseModel, Field

from relayline.catalog.tools import Tool, ToolContext, tool

if TYPE_CHECKING:
    from decimal import Decimal


class Place(BaseModel):
    """Where."""

    city: Annotated[str, Field(title="The City")]
    title: str = "none"


class Weather:
    """Knows the weather."""

    async def __call__(self, city: str, days: int = 1) -> str:
        """Tell the weather."""
        return f"{city} {days}"


class Clock:
    """Tells the time."""

    def __call__(self, zone: str) -> str:
        return zone

    def alarm(self, context: ToolContext, at: str) -> str:
        """Ring."""
        return at


def send(key: str, to: str, text: str = "hi") -> str:
    """Send a text."""
    return f"{key} {to} {text}"


async def send_later(token: str, to: str) -> str:
    """Send it later."""
    return f"{token} {to}"


@pytest.mark.parametrize(
    ("given", "name", "description", "parameters", "asynchronous"),
    [
        (functools.partial(send, "secret"), "send", "Send a text.", ["to", "text"], False),
        (functools.partial(send, key="secret"), "send", "Send a text.", ["to", "text"], False),
        (functools.partial(send_later, "x"), "send_later", "Send it later.", ["to"], True),
        (functools.partial(Weather(), days=3), "Weather", "Tell the weather.", ["city"], True),
        (Weather(), "Weather", "Tell the weather.", ["city", "days"], True),
        (Clock(), "Clock", "Tells the time.", ["zone"], False),
        (Clock().alarm, "alarm", "Ring.", ["at"], False),
        (functools.lru_cache(send), "send", "Send a text.", ["key", "to", "text"], False),
    ],
)
def test_any_callable_becomes_a_tool(
    given: Callable[..., object],
    name: str,
    description: str,
    parameters: list[str],
    asynchronous: bool,
) -> None:
    made = tool(given)
    assert (made.spec.name, made.spec.description) == (name, description)
    assert list(properties(made)) == parameters
    assert inspect.iscoroutinefunction(made.function) is asynchronous
    assert "secret" not in made.spec.model_dump_json()


def test_what_a_partial_gives_reaches_the_function_and_not_the_model() -> None:
    made = tool(functools.partial(send, key="secret"))
    assert made.spec.parameters["required"] == ["to"]
    assert made.function(**made.bind({"to": "Ann"})) == "secret Ann hi"


async def test_a_tool_can_be_called_as_its_function() -> None:
    @tool(timeout_s=5)
    def double(n: int) -> int:
        return 2 * n

    assert double(4) == double(n=4) == 8
    assert await tool(Weather())("Ulm", days=2) == "Ulm 2"


def test_an_async_generator_is_refused_by_name() -> None:
    async def count(n: int) -> AsyncIterator[int]:
        yield n

    class Counter:
        async def __call__(self, n: int) -> AsyncIterator[int]:
            yield n

    for given, name in ((count, "count"), (functools.partial(count, 1), "count"), (Counter(), "C")):
        with pytest.raises(TypeError, match=rf"tool '{name}.*async generator.*context\.progress"):
            tool(given)


def locked(n: int, lock: Lock) -> None: ...
def undefined(n: int, price: Decimal) -> None: ...
def called(n: int, back: Callable[[], int]) -> None: ...
def nested(n: int, places: list[Weather]) -> None: ...


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(locked, "lock"), (undefined, "price"), (called, "back"), (nested, "places")],
)
def test_a_type_that_no_json_can_fill_names_tool_and_parameter(
    function: Callable[..., object], parameter: str
) -> None:
    with pytest.raises(TypeError, match=f"tool '{function.__name__}': parameter '{parameter}': "):
        tool(function)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="'price' is not callable"):
        tool("price")  # type: ignore[call-overload]


def test_a_context_that_may_be_none_is_not_told_to_the_model_either() -> None:
    @tool
    def look(at: str, context: ToolContext | None = None) -> str:
        return at

    assert (look.context_parameter, list(properties(look))) == ("context", ["at"])
    assert look("here") == "here"


def test_titles_are_dropped_however_deep_and_parameters_of_that_name_stay() -> None:
    @tool
    def plan(title: str, places: list[Place] | None = None) -> None: ...

    assert '"title":"' not in plan.spec.model_dump_json()
    assert list(properties(plan)) == ["title", "places"]
    assert "title" in json.dumps(plan.spec.parameters["$defs"])


def google(city: str, days: int, place: Annotated[str, Field(description="By hint.")] = "") -> None:
    """Tell the weather.

    As of today.

    Args:
        city: The city
            and its country.
        days (int): How many days.
        place: By docstring.

    Returns:
        The forecast: in words.

    Raises:
        ValueError: There is none.

    Note:
        Only for Europe.
    """


def numpy(city: str, days: int, place: Annotated[str, Field(description="By hint.")] = "") -> None:
    """Tell the weather.

    As of today.

    Parameters
    ----------
    city : str
        The city
        and its country.
    days
        How many days.
    place : str
        By docstring.

    Returns
    -------
    str
        The forecast: in words.
    """


def sphinx(city: str, days: int, place: Annotated[str, Field(description="By hint.")] = "") -> None:
    """Tell the weather.

    As of today.

    :param city: The city
        and its country.
    :param int days: How many days.
    :param place: By docstring.
    :returns: The forecast: in words.
    """


@pytest.mark.parametrize("function", [google, numpy, sphinx])
def test_a_docstrings_section_of_parameters_describes_them(function: Callable[..., object]) -> None:
    made = tool(function)
    assert {name: of["description"] for name, of in properties(made).items()} == {
        "city": "The city and its country.",
        "days": "How many days.",
        "place": "By hint.",
    }
    description = made.spec.description
    assert description.startswith("Tell the weather.\n\nAs of today.\n\nReturns: ")
    assert "The forecast: in words." in description
    assert "city" not in description


def test_other_sections_stay_in_the_description() -> None:
    description = tool(google).spec.description
    assert "Raises: ValueError: There is none." in description
    assert "Note: Only for Europe." in description


@pytest.mark.parametrize(
    "text",
    [
        "Tell it.\n\nReturns:\n    The forecast.",
        "Order a pizza: with args: cheese.",
        "One.\n\nTwo.\n\n    def indented(): ...",
        "",
    ],
)
def test_a_docstring_without_such_a_section_stays_as_it_is(text: str) -> None:
    def look(day: date) -> None: ...

    look.__doc__ = text
    assert tool(look).spec.description == text


def test_without_the_library_that_reads_sections_the_docstring_stays_as_it_is() -> None:
    code = (
        "import sys; sys.modules['griffe'] = None\n"
        "from relayline import tool\n"
        "def look(a: int): '''Look.\n\nArgs:\n    a: A number.\n'''\n"
        "assert 'a: A number.' in tool(look).spec.description"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def properties(made: Tool) -> dict[str, Any]:
    found = made.spec.parameters["properties"]
    assert isinstance(found, dict)
    return found


def test_a_default_that_json_does_not_have_is_no_part_of_the_schema() -> None:
    def rate(to: float = float("nan"), most: float = float("inf"), least: float = 0.5) -> None: ...

    properties: Any = tool(rate).spec.parameters["properties"]
    assert properties == {
        "to": {"type": "number"},
        "most": {"type": "number"},
        "least": {"type": "number", "default": 0.5},
    }
    assert tool(rate).bind({}) == {}


def test_a_function_without_a_signature_is_named() -> None:
    with pytest.raises(TypeError, match="tool 'int': no signature"):
        tool(int)
