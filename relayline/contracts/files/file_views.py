"""A file as clients see it."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict

from relayline.contracts.frozen import Frozen


class FileLimits(Frozen):
    """What may be uploaded, and what a model takes of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    max_bytes: int
    """Of one file."""
    max_text_bytes: int
    """Of one file that a model is given as text."""
    max_parts: int
    """Parts of one message."""
    types: tuple[str, ...]
    """MIME types that the model may take, besides texts: `text/*`, JSON, XML and YAML."""


class FileView(Frozen):
    """An uploaded file."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    file_id: str
    name: str
    type: str
    """Its MIME type, as its first bytes say; what Relayline does not know is
    `application/octet-stream`."""
    size: int
    """Bytes."""
    sha256: str
    """Of its bytes, hexadecimal."""
    expires_at: datetime
    """Until then it is kept without a run that names it; afterwards it lives as long as such runs.
    """
