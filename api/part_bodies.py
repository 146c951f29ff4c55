"""The parts of a message in the bodies of requests."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from relayline.contracts.files.parts import (
    FILE_ID_PATTERN,
    MAX_PART_URL_CHARS,
    MAX_PARTS,
    FilePart,
    Part,
    TextPart,
    text_of,
)

_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class TextGiven(BaseModel):
    """Text."""

    model_config = _CONFIG
    type: Literal["text"]
    text: str = Field(min_length=1)

    def part(self) -> Part:
        """As a run has it."""
        return TextPart(text=self.text)


class FileGiven(BaseModel):
    """An image or a file; give its id or its URL."""

    model_config = _CONFIG
    type: Literal["image", "file"]
    file_id: str | None = Field(default=None, pattern=FILE_ID_PATTERN)
    """From `POST /v1/files`."""
    url: str | None = Field(
        default=None, pattern=rf"^https?://[\x21-\x7e]{{1,{MAX_PART_URL_CHARS}}}$"
    )
    """Providers that take URLs get it; for others the worker fetches it once, from public hosts
    only."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file_id is None) == (self.url is None):
            raise PydanticCustomError("one_of", "give either file_id or url")
        if self.url is not None:
            try:
                parts = urlsplit(self.url)
            except ValueError:
                raise PydanticCustomError("url", "url is not a URL") from None
            if not parts.hostname or parts.username or parts.password:
                raise PydanticCustomError("url", "url must name a host, and no user")
        return self

    def part(self) -> Part:
        """As a run has it, before the file is looked up."""
        return FilePart(type=self.type, file_id=self.file_id or "", url=self.url or "")


def _kind(given: Any) -> str | None:
    """Which of both a part is; its type says so."""
    kind = given.get("type") if isinstance(given, dict) else getattr(given, "type", None)
    return {"text": "[text]", "image": "[file]", "file": "[file]"}.get(str(kind))


def _form(given: Any) -> str:
    """Parts for a list, else text."""
    return "[parts]" if isinstance(given, list | tuple) else "[text]"


PartGiven: TypeAlias = Annotated[
    Annotated[TextGiven, Tag("[text]")] | Annotated[FileGiven, Tag("[file]")],
    Discriminator(
        _kind,
        custom_error_type="part_type",
        custom_error_message="type is none of text, image and file",
    ),
]
Parts: TypeAlias = Annotated[list[PartGiven], Field(min_length=1, max_length=MAX_PARTS)]
AS_TEXT = Tag("[text]")
AsParts: TypeAlias = Annotated[Parts, Tag("[parts]")]
EITHER = Discriminator(_form)
"""Tells a text from parts; the tags, in brackets, are left out where an error names its field."""


def text_in(content: str | Parts) -> str:
    """The text of what was given; of parts, theirs together."""
    return content if isinstance(content, str) else text_of(parts_in(content))


def parts_in(content: str | Parts) -> tuple[Part, ...]:
    """The parts of what was given; none of a text."""
    return () if isinstance(content, str) else tuple(given.part() for given in content)
