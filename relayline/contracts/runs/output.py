"""The output of a run: text, or JSON that fits a schema. Pure."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import JsonValue

OutputType = Literal["text", "json"]
"""`json`: it was checked against the agent's output schema."""


def is_text(output_type: OutputType) -> bool:
    """True for the type that is left out."""
    return output_type == "text"


def output_text(output: JsonValue) -> str:
    """The output for people: a text as it is, anything else as JSON."""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
