"""The table of all settings, as `relayline/runtime/settings.py` has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from relayline.runtime.settings import Settings
from tests.docs.described import meanings, row

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return f"RELAYLINE_{field.upper()}"


def settings() -> Iterator[str]:
    """Lines of the table."""
    said = meanings(Settings)
    yield from ("| variable | default | range | meaning |", "|---|---|---|---|")
    for name, info in Settings.model_fields.items():
        yield row(f"`{variable(name)}`", _shown(info.default), _range(info), said[name])


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default is None:
        return ""
    text = ",".join(map(str, default)) if isinstance(default, tuple) else f"{default}"
    return f"`{text}`" if text else ""


def _range(info: FieldInfo) -> str:
    found = {
        name: getattr(bound, name)
        for bound in info.metadata
        for name in _BOUNDS
        if getattr(bound, name, None) is not None
    }
    if {"ge", "le"} <= found.keys():
        return f"{found['ge']:,} to {found['le']:,}"
    return ", ".join(f"{_BOUNDS[name]} {value:,}" for name, value in found.items())
