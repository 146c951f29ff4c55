"""Text of models, tools and other people, made safe for a terminal."""

from __future__ import annotations

import unicodedata

CONTROL = dict.fromkeys(
    [code for code in range(0x20) if chr(code) not in "\n\t"] + list(range(0x7F, 0xA0))
)
"""Characters with which a text could control the terminal, as `str.translate` removes them."""


def printable(text: str) -> str:
    """The text without characters that could control the terminal."""
    return text.translate(CONTROL)


def visible(text: str) -> str:
    """The text with an escape for each character that can't be seen, but newlines and tabs."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in _UNSEEN else _escape(c) for c in text
    )


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
