"""The base of every model that crosses a process boundary."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable model; fields are only ever added, with defaults.

    Unknown fields are ignored, so that an older process reads what a newer one wrote.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")
