"""The names that models know MCP servers' tools by. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

MAX_NAME_CHARS = 64
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")


def told_name(server: str, tool: str) -> str:
    """`{server}_{tool}` as `ToolSpec.name` allows it: other characters become `_`, cut to 64."""
    return _FORBIDDEN.sub("_", f"{server}_{tool}")[:MAX_NAME_CHARS]


def clash_of(names: Iterable[str]) -> str | None:
    """A name that occurs twice, so that the agent can't have all of these tools; None if none."""
    return next((name for name, count in Counter(names).items() if count > 1), None)
