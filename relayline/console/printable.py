"""Text of models, tools and other people, made safe for a terminal."""

from __future__ import annotations

CONTROL = dict.fromkeys(
    [code for code in range(0x20) if chr(code) not in "\n\t"] + list(range(0x7F, 0xA0))
)
"""Characters with which a text could control the terminal, as `str.translate` removes them."""


def printable(text: str) -> str:
    """The text without characters that could control the terminal."""
    return text.translate(CONTROL)
