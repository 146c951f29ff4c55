"""Exceptions of code that is not ours are described, whatever they do."""

from __future__ import annotations

from typing import Any

import pytest

from relayline.catalog.foreign import described, leaves, words
from relayline.catalog.tools import ToolError


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Interrupting(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class Recursive(Exception):
    def __str__(self) -> str:
        return str(self)


class NotEvenText(Exception):
    def __str__(self) -> Any:
        return 5  # noqa: PLE0307


class _Sly(str):
    __slots__ = ()

    def __getitem__(self, _: object) -> Any:
        raise OSError

    def encode(self, *_: object) -> Any:
        raise OSError


class SlyText(Exception):
    def __str__(self) -> str:
        return _Sly("said")


class LyingGroup(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> Any:
        raise OSError


def raised_from(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


SINGLE = ExceptionGroup("unhandled errors in a TaskGroup", [ValueError("inner")])
SEVERAL = ExceptionGroup("g", [KeyError("a"), ExceptionGroup("h", [SINGLE, Wordless()])])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (Wordless(), "Wordless"),
        (Interrupting(), "Interrupting"),
        (Recursive(), "Recursive"),
        (NotEvenText(), "NotEvenText"),
        (SlyText(), "SlyText: said"),
        (LyingGroup("g", [ValueError("in")]), "ValueError: in"),
        (SINGLE, "ValueError: inner"),
        (SEVERAL, "KeyError: 'a'; ValueError: inner; Wordless"),
        (ExceptionGroup("g", [KeyError(n) for n in range(9)]), "KeyError: 4; and 4 more"),
        (BaseExceptionGroup("g", [SystemExit(2)]), "SystemExit: 2"),
        (ToolError("for the model"), "for the model"),
        (ToolError(""), "ToolError"),
        (ExceptionGroup("g", [ToolError("for the model")]), "for the model"),
        (raised_from(ToolError("for the model"), ValueError("why")), "for the model"),
        (
            raised_from(ValueError("it"), KeyError("why")),
            "ValueError: it; caused by KeyError: 'why'",
        ),
        (raised_from(ValueError("it"), SINGLE), "ValueError: it; caused by ValueError: inner"),
    ],
)
def test_an_exception_is_told_by_its_words_its_leaves_and_its_cause(
    error: BaseException, told: str
) -> None:
    assert described(error).endswith(told)
    assert told.startswith(described(error)[:5]) or len(leaves(error)) > 5


def test_a_cause_that_leads_back_to_its_error_is_told_once() -> None:
    error = ValueError("round")
    error.__cause__ = error
    assert described(error) == "ValueError: round"


def test_neither_depth_nor_number_nor_length_is_without_a_bound() -> None:
    deep: Exception = ValueError("deep")
    for _ in range(100_001):
        deep = ExceptionGroup("g", [deep])
    assert described(deep) == "ExceptionGroup"
    while isinstance(deep, ExceptionGroup):  # freed one by one, not recursively
        [deep] = deep.exceptions
    assert len(leaves(ExceptionGroup("g", [ValueError()] * 100_000))) <= 1000
    assert len(words(ValueError("x" * 10_000_000))) <= 2000


def test_an_exception_s_class_may_lie_about_everything() -> None:
    def lie(_: object) -> Any:
        raise OSError

    nameless = type("Nameless", (type,), {"__name__": property(lie)})
    lies = {"__class__": property(lie), "__cause__": property(lie)}
    assert described(nameless("Lying", (Exception,), lies)("x")) == "Lying: x"


def test_a_leaf_is_told_however_deep_its_group() -> None:
    error: Exception = ValueError("LEAF")
    for _ in range(20_000):
        error = ExceptionGroup("g", [error])
    assert described(error) == "ValueError: LEAF"
    while isinstance(error, ExceptionGroup):  # freed one by one, not recursively
        [error] = error.exceptions
