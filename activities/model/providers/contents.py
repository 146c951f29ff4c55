"""Converts the parts of messages to what pydantic-ai sends. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic_ai.messages import BinaryContent, DocumentUrl, ImageUrl, UserContent

from relayline.activities.model.port import Loaded
from relayline.catalog.media import PDF, is_text, taken_by, takes_url
from relayline.contracts.files.parts import FilePart, Part, TextPart


def contents(parts: Sequence[Part], model: str, files: Mapping[str, Loaded]) -> list[UserContent]:
    """The parts, in order; a file that is not there is told as a text that says so."""
    return [
        part.text if isinstance(part, TextPart) else _content(part, model, files) for part in parts
    ]


def _content(part: FilePart, model: str, files: Mapping[str, Loaded]) -> UserContent:
    file = files.get(part.file_id or part.url)
    if file is None:
        if part.url and takes_url(model, part.type):
            image = part.type == "image"
            return ImageUrl(part.url) if image else DocumentUrl(part.url, media_type=PDF)
        return f"{part.shown} (not there any more)"
    if is_text(file.media_type):
        return f"[{part.type} {file.name}]\n{file.data.decode('utf-8', 'replace')}"
    if file.media_type not in taken_by(model):
        return f"{part.shown} ({file.media_type}, which this model does not take)"
    return BinaryContent(file.data, media_type=file.media_type)
