"""What is said to a run: a text, or parts with images and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

from pydantic import JsonValue, TypeAdapter, ValidationError

from relayline.client.errors import InvalidArgument
from relayline.contracts.commands import AnyCommand, Redirect
from relayline.contracts.files.file_views import FileView
from relayline.contracts.files.parts import Part, text_of

GivenPart: TypeAlias = Mapping[str, JsonValue]
Said: TypeAlias = str | Sequence[str | GivenPart]
"""A text; or texts and parts, in their order."""
_PARTS: TypeAdapter[tuple[Part, ...]] = TypeAdapter(tuple[Part, ...])


def text_part(text: str) -> GivenPart:
    """A part that is text."""
    return {"type": "text", "text": text}


def image_part(image: FileView | str) -> GivenPart:
    """A part that is an image: what `files.upload` gave, its id, or a URL."""
    return _named("image", image)


def file_part(file: FileView | str) -> GivenPart:
    """A part that is a file, such as a PDF: what `files.upload` gave, its id, or a URL."""
    return _named("file", file)


def part_of(file: FileView) -> GivenPart:
    """An image, or a file that is none."""
    return image_part(file) if file.type.startswith("image/") else file_part(file)


def _named(kind: Literal["image", "file"], what: FileView | str) -> GivenPart:
    if isinstance(what, FileView):
        return {"type": kind, "file_id": what.file_id}
    return {"type": kind, "url" if "://" in what else "file_id": what}


def json_parts(said: Said) -> JsonValue:
    """What was said, as it stands in a body."""
    if isinstance(said, str):
        return said
    return [dict(text_part(it) if isinstance(it, str) else it) for it in said]


def json_history(history: Iterable[Mapping[str, Said]]) -> JsonValue:
    """What was said before, as it stands in a body."""
    return [
        {
            name: json_parts(it) if name == "content" else cast("JsonValue", it)
            for name, it in said.items()
        }
        for said in history
    ]


def parts_of(said: Said) -> tuple[str, tuple[Part, ...]]:
    """Text and parts of a message.

    Raises:
        InvalidArgument: a part is none.
    """
    if isinstance(said, str):
        return said, ()
    try:
        parts = _PARTS.validate_python(json_parts(said))
    except ValidationError as error:
        raise InvalidArgument(f"a part is none: {error.errors()[0]['msg']}") from error
    return text_of(parts), parts


def fields_of(command: AnyCommand) -> dict[str, JsonValue]:
    """The fields of a command as its body has them; None and what is default may be among them."""
    fields: dict[str, JsonValue] = command.model_dump(mode="json")
    if parts := fields.pop("parts", None):
        fields["message" if isinstance(command, Redirect) else "content"] = parts
    return fields
