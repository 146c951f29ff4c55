"""Text of a model or a person within Markdown that we write."""

from __future__ import annotations

import re


def code_span(text: str) -> str:
    """The text on one line as a code span: no link, image or markup in it takes effect.

    As CommonMark has it: fenced by more backticks in a row than the text has, and a space on both
    sides where it begins or ends with one.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "…"
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    edge = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{edge}{line}{edge}{fence}"
