"""Pictures that tools return."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_IMAGES = 8
"""Pictures of one result."""
MAX_IMAGE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Image:
    """A picture that a tool returns, alone or in a list with texts and others.

    Models that take pictures see it; it is kept as a file of the run. PNG, JPEG, GIF or WebP, at
    most 8 MiB; at most 8 in one result.
    """

    data: bytes = field(repr=False)
    name: str = "image"
    """For people."""
