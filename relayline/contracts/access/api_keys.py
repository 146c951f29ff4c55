"""API keys as clients see them."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict

from relayline.contracts.frozen import Frozen


class KeyView(Frozen):
    """An API key, without what would make it usable."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    key_id: str
    """Third part of the key: `rl_live_{key_id}_…`."""
    name: str
    tenant: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    """Within a minute or so; null: never."""
    revoked_at: datetime | None


class KeyCreated(KeyView):
    """A new API key."""

    key: str
    """The key itself: this answer is the only one that has it."""


class KeyList(Frozen):
    """One page of keys, newest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    keys: tuple[KeyView, ...]
    cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""
