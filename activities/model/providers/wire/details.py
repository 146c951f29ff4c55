"""OpenRouter's `reasoning_details`: reasoning with signatures, which it needs back. Pure."""

from __future__ import annotations

from typing import Any

_TEXTS = ("text", "summary", "data")


def add_details(before: list[dict[str, Any]], told: Any) -> None:
    """Add the details of one delta: pieces of the same detail become one, in their order."""
    for piece in told if isinstance(told, list) else ():
        if not isinstance(piece, dict):
            continue
        last = before[-1] if before else {}
        same = all(last.get(key) == piece.get(key) for key in ("type", "index"))
        if last and same and (not piece.get("id") or piece.get("id") == last.get("id")):
            given = {key: value for key, value in piece.items() if value is not None}
            texts = {
                key: str(last.get(key) or "") + str(given[key]) for key in _TEXTS if key in given
            }
            last.update({**given, **texts})
        else:
            before.append(dict(piece))
