"""Which models take which files. Pure."""

from __future__ import annotations

from relayline.catalog.models import UnknownModelName, parse_model

PDF = "application/pdf"
MAX_TEXT_BYTES = 1024 * 1024
"""The largest text file that a model is given; it is sent as text."""
_TEXTUAL = frozenset({"application/json", "application/xml", "application/yaml"})
_COMMON = frozenset({"image/png", "image/jpeg", "image/webp"})
_IMAGES = _COMMON | {"image/gif"}
_TAKEN: dict[str, frozenset[str]] = {
    "openai": _IMAGES | {PDF},
    "anthropic": _IMAGES | {PDF},
    "google": _COMMON | {PDF},
    "ollama": _COMMON,
    "compatible": _IMAGES,
    "rehearsal": _IMAGES | {PDF},
    "local": frozenset(),
}
"""By provider; a model of it may still take less, which only the provider can say."""
_URLS: dict[str, frozenset[str]] = {
    "openai": frozenset({"image"}),
    "anthropic": frozenset({"image", "file"}),
    "rehearsal": frozenset({"image", "file"}),
}
"""Kinds of parts that a provider fetches itself; an Anthropic file is a PDF."""


def is_text(media_type: str) -> bool:
    """True for a file that every model is given as text."""
    return media_type.startswith("text/") or media_type in _TEXTUAL


def taken_by(model: str) -> frozenset[str]:
    """MIME types that the model may take, besides texts."""
    try:
        return _TAKEN.get(parse_model(model).provider, frozenset())
    except UnknownModelName:
        return frozenset()


def takes_url(model: str, kind: str) -> bool:
    """True if the model's provider fetches a part of that kind itself."""
    try:
        return kind in _URLS.get(parse_model(model).provider, frozenset())
    except UnknownModelName:
        return False
