"""The parts of a message: text, images and files. Of a file only what names it, never its bytes."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from relayline.contracts.frozen import Frozen

MAX_PARTS = 32
"""Parts of one message."""
MAX_PART_URL_CHARS = 2048
FILE_ID_PATTERN = r"^file_[0-9a-f]{32}$"


class TextPart(Frozen):
    """Text of a message; its `type` is `text`."""

    type: Literal["text"] = "text"
    text: str
    """As it was given."""


class FilePart(Frozen):
    """An uploaded image or file, or one at a URL; its `type` is `image` or `file`."""

    type: Literal["image", "file"]
    """How the model gets it."""
    file_id: str = Field(default="", exclude_if=operator.not_)
    """The file, where it is one of ours."""
    url: str = Field(default="", exclude_if=operator.not_)
    """Where it is, if it was not uploaded."""
    name: str = Field(default="", exclude_if=operator.not_)
    """The file's name, as its sender gave it."""
    media_type: str = Field(default="", exclude_if=operator.not_)
    """Its MIME type, as its first bytes say."""
    size: int = Field(default=0, exclude_if=operator.not_)
    """Bytes."""
    sha256: str = Field(default="", exclude_if=operator.not_)
    """Of its bytes, hexadecimal."""

    @property
    def shown(self) -> str:
        """What stands for it in a text."""
        what = self.name or self.url or self.file_id
        return f"[{self.type} {what}]"


Part: TypeAlias = Annotated[TextPart | FilePart, Field(discriminator="type")]


def text_of(parts: Sequence[Part]) -> str:
    """The text of a message with these parts; `[image]` or the like where it has none."""
    texts = [part.text for part in parts if isinstance(part, TextPart) and part.text.strip()]
    return "\n\n".join(texts) or " ".join(f"[{part.type}]" for part in parts)


def files_in(parts: Iterable[Part]) -> list[FilePart]:
    """Those that are no text."""
    return [part for part in parts if isinstance(part, FilePart)]
