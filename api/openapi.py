"""The OpenAPI document and the writer of its committed copy: `python -m relayline.api.openapi`."""

from __future__ import annotations

import json
from pathlib import Path

from relayline.api.app import bare_app

COMMITTED = Path(__file__).with_name("openapi.json")


def document() -> str:
    """The document as it is committed: indented JSON with a newline at the end."""
    return json.dumps(bare_app().openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COMMITTED.write_text(document(), encoding="utf-8")
