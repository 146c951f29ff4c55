"""What a process tells of its health."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Health(BaseModel):
    """Whether the server is ready, and what is missing."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ok", "unavailable"]
    parts: dict[str, str] = Field(default_factory=dict)
    """`ok` or the problem, by part: `journal`, `temporal`, `namespace`."""
    lacking: dict[str, str] = Field(default_factory=dict)
    """Kinds of work (`runs`, `models`, `tools`) that no worker takes, and why. The server still
    accepts runs and stays ready; new runs wait."""
