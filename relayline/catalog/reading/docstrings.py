"""Docstrings in the styles of Google, NumPy and Sphinx: what they say about parameters.

The library that reads them, griffe, comes with the extra `server`. Without it, or for a docstring
without such sections, the docstring is the description as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from griffe import DocstringSection, Parser

_STYLES: dict[str, re.Pattern[str]] = {
    "sphinx": re.compile(r"^:(param|parameter|arg|argument|key|keyword)\s[^:\n]+:", re.MULTILINE),
    "numpy": re.compile(r"^(Other )?Parameters[ \t]*\n-{3,}[ \t]*$", re.MULTILINE),
    "google": re.compile(
        r"^(Args|Arguments|Params|Parameters|Keyword Args|Keyword Arguments|Other Parameters):"
        r"[ \t]*\n[ \t]+\S",
        re.MULTILINE | re.IGNORECASE,
    ),
}
"""Which style a docstring's section of parameters is in."""


class Docstring(NamedTuple):
    """What a docstring says."""

    description: str
    """All but the section of parameters."""
    parameters: dict[str, str]


def read_docstring(text: str) -> Docstring:
    """Split a docstring, without its indentation, into description and parameters."""
    style = next((style for style, section in _STYLES.items() if section.search(text)), None)
    if style is None:
        return Docstring(text, {})
    try:
        import griffe  # noqa: PLC0415  slow, and not in the light install
    except ModuleNotFoundError:
        return Docstring(text, {})
    parser: Parser = griffe.Parser(style)
    options: dict[str, Any] = {"warnings": False}
    if style == "google":  # a result is one thing, and its first word is no name
        options |= {"returns_named_value": False, "returns_multiple_items": False}
    sections = griffe.Docstring(text, lineno=1).parse(parser, **options)
    parameters = {
        each.name.lstrip("*"): " ".join(each.description.split())
        for section in sections
        if isinstance(section, griffe.DocstringSectionParameters)
        for each in section.value
    }
    return Docstring("\n\n".join(filter(None, map(_told, sections))), parameters)


def _told(section: DocstringSection) -> str:
    """The section in the description; empty for parameters, which have their own place."""
    match section.kind.value:
        case "text":
            return str(section.value).strip()
        case "admonition":
            return f"{section.title or ''}: {section.value.description}".strip(": ")
        case "returns" | "yields" | "raises" | "warns":
            said = "; ".join(_items(section))
            return f"{section.kind.value.capitalize()}: {said}" if said else ""
        case "examples":
            return "Examples:\n" + "\n".join(str(text) for _, text in section.value)
        case _:
            return ""


def _items(section: DocstringSection) -> Iterator[str]:
    for each in section.value:
        said = (str(each.annotation or ""), " ".join(each.description.split()))
        yield ": ".join(filter(None, said))
