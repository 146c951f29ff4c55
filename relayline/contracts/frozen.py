"""The base of every model that crosses a process boundary."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable model. Only add fields, with defaults; never remove or rename one.

    Unknown fields are ignored, so that older processes can read what newer ones write.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")
