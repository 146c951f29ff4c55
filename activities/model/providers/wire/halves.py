"""Characters that come in two halves (surrogates), perhaps in two events. Pure."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator


class Halves:
    """Joins the pieces of several texts: the first half of a character waits for the second."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, str] = {}

    def joined(self, of: Hashable, text: str) -> str:
        """The next piece of one text, as far as its characters are whole."""
        text = self._waiting.pop(of, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._waiting[of], text = text[-1], text[:-1]
        return paired(text)

    def rest(self) -> Iterator[tuple[Hashable, str]]:
        """At the end: the texts whose last character lacks its second half, and a `?` for it."""
        for of, half in self._waiting.items():
            yield of, paired(half)


def paired(text: str) -> str:
    """The text with each surrogate pair joined to its character; a lone half becomes `?`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        joined = str(json.loads(json.dumps(text)))
        return joined.encode("utf-8", "replace").decode()
    return text
