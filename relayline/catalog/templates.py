"""Instructions with names: `{tenant}`, `{user}`, `{agent}`, `{metadata.KEY}`, `{date}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = ("tenant", "user", "agent", "date")
LABEL = "metadata."
_PLACE = re.compile(r"\{\{([A-Za-z_][\w.-]*)\}\}|\{([A-Za-z_]\w*(?:\.[^{}\s]{1,64})?)\}")
"""A name in double braces stands for itself in single ones. Other braces, as in JSON, are text."""


def is_template(instructions: str) -> bool:
    """True if something in the instructions must be filled in.

    Raises:
        ValueError: a name in braces is unknown.
    """
    places = list(_PLACE.finditer(instructions))
    for place in places:
        name = place[2]
        if name and name not in NAMES and not name.startswith(LABEL):
            known = ", ".join(f"{{{it}}}" for it in (*NAMES, f"{LABEL}KEY"))
            raise ValueError(
                f"unknown name {{{name}}}; there are {known}; for the text itself write "
                f"{{{{{name}}}}}"
            )
    return bool(places)


def filled(instructions: str, values: Mapping[str, str]) -> str:
    """The instructions with each name replaced by its value, once; without a value, by nothing."""

    def value(place: re.Match[str]) -> str:
        return f"{{{place[1]}}}" if place[1] else values.get(place[2], "")

    return _PLACE.sub(value, instructions)
