"""The settings of webhooks, a part of `Settings`."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

_Pause = Annotated[float, Field(gt=0, le=7 * 86_400)]


def parse_list(value: object) -> object:
    """The items of a text: separated by commas, in lower case, or as a JSON list."""
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        return json.loads(value)
    return tuple(filter(None, map(str.strip, value.lower().split(","))))


class WebhookSettings(BaseSettings):
    """Whom webhooks may reach, and when they are tried again."""

    webhook_allow: tuple[str, ...] = ()
    """Private hosts, and ports other than 443, that receivers of webhooks may have: `name` or
    `name:port`, separated by commas or as a JSON list; always by https."""
    webhook_loopback: bool = False
    """Whether receivers may be on this host, also by http and at any port; `relayline dev` sets
    it."""
    webhook_retry_s: tuple[_Pause, ...] = Field(
        default=(5, 300, 1800, 7200, 18_000, 36_000, 43_200), min_length=1, max_length=20
    )
    """Seconds before the second try of a delivery, the third and so on, separated by commas; the
    last one repeats."""
    webhook_rest_s: float = Field(default=300, gt=0, le=86_400)
    """Seconds that a receiver rests at most, whatever is due, once ten tries in a row have
    failed."""
    webhook_give_up_s: float = Field(default=72 * 3600, ge=1, le=30 * 86_400)
    """Seconds from the first try of a delivery to the last one; a receiver that has failed for as
    long is disabled."""

    @field_validator("webhook_allow", "webhook_retry_s", mode="before")
    @classmethod
    def _parse_lists(cls, value: object) -> object:
        return parse_list(value)
