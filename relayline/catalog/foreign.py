"""Describes exceptions of code that is not ours; nothing here fails, whatever they do. Pure.

An exception's `__str__` may raise or return anything, its class may lie about its name, its group
may be nested a thousand deep. Whoever describes it elsewhere would raise while handling it.
"""

from __future__ import annotations

from collections.abc import Iterator

from relayline.catalog.tools import ToolError

_SHOWN_LEAVES = 5
_MOST_LEAVES = 1000
_MOST_GROUPS = 100_000
"""A group that is nested deeper than that has no leaves."""
_MOST_CAUSES = 3
_MOST_CHARS = 2000
"""Characters of one exception's own words; whoever shows them may cut further."""


def described(error: BaseException) -> str:
    """`ValueError: its words`; a group by its leaves; followed by the causes that it names.

    A cause is an exception that another was raised `from`. A `ToolError` is its message alone: that
    is written for the model.
    """
    texts = [_without_cause(it) for it in (error, *_causes(error))]
    told = [text for index, text in enumerate(texts) if text not in texts[:index]]
    return "; caused by ".join(told)


def words(error: BaseException) -> str:
    """The exception's own text, `""` if it has none or can't say it."""
    try:
        return str.__str__(str(error))[:_MOST_CHARS]  # a subclass of str may do anything
    except BaseException:  # noqa: BLE001  whatever it raises, the exception has no words
        return ""


def name(error: BaseException) -> str:
    """The name of the exception's class."""
    return type.__dict__["__name__"].__get__(type(error))  # type: ignore[no-any-return]


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group and its groups, at most a thousand; a lone exception is its own."""
    return list(_leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    waiting, groups, seen = [error], 0, 0
    while waiting and seen < _MOST_LEAVES and groups < _MOST_GROUPS:
        found = waiting.pop()
        if issubclass(type(found), BaseExceptionGroup):
            groups += 1
            inner = BaseExceptionGroup.exceptions.__get__(found)
            waiting += reversed(inner[:_MOST_LEAVES])
        else:
            seen += 1
            yield found


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The chain of causes, of a group with one leaf that leaf's too."""
    for _ in range(_MOST_CAUSES):
        found = leaves(error)
        of = found[0] if len(found) == 1 else error
        cause = BaseException.__dict__["__cause__"].__get__(of)
        if cause is None or _speaks_for_itself(of):
            return
        yield cause
        error = cause


def _without_cause(error: BaseException) -> str:
    found = leaves(error)
    texts = [_lone(leaf) for leaf in found[:_SHOWN_LEAVES]]
    if len(found) > len(texts):
        texts.append(f"and {len(found) - len(texts)} more")
    return "; ".join(texts) or name(error)


def _lone(error: BaseException) -> str:
    said = words(error)
    if _speaks_for_itself(error):
        return said
    return f"{name(error)}: {said}" if said else name(error)


def _speaks_for_itself(error: BaseException) -> bool:
    return issubclass(type(error), ToolError) and bool(words(error))
