"""The settings of authentication, a part of `Settings`."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from relayline.contracts.principals import TENANT_PATTERN
from relayline.journal.access.secret_ring import SecretRing
from relayline.runtime.dsn import checked_dsn

AuthMode = Literal["keys", "oidc"]
OFF, BEHIND_PROXY = "off", "off-behind-proxy"
_MODES: frozenset[AuthMode] = frozenset({"keys", "oidc"})


class AccessSettings(BaseSettings):
    """Who may use the API."""

    auth: str = OFF
    """Who may use the API: `off` (everybody who reaches it, which is only this machine),
    `off-behind-proxy` (the same on any address: a proxy in front authenticates), `keys` (holders of
    API keys), `oidc` (holders of access tokens of an OpenID provider) or `keys,oidc`."""
    secret: str = Field(default="", repr=False)
    """Root of API keys, stream tokens, ids, cursors and proofs of commands, the same for all API
    processes and workers: `ID:SECRET`, at least 32 characters, such as `a:` and the output of
    `openssl rand -hex 32`. To rotate it, put a new one behind the old one everywhere, then before
    it, `b:NEW,a:OLD`: the first one signs, each is accepted."""
    secret_file: Path | None = None
    """File with the value of `RELAYLINE_SECRET`, in its place; with a journal in SQLite and neither
    of the two, `secret` in `RELAYLINE_DATA_DIR`, which is made when it is first needed."""
    key_environment: str = Field(default="live", pattern=r"^[a-z0-9]{1,16}$")
    """Second part of new API keys, `rl_live_…`, by which people tell deployments apart."""

    four_eyes: str = ""
    """Tenants in which who has submitted a run may not approve in it: names, separated by commas,
    or `all`; with authentication on."""

    mcp_decide: bool = False
    """Whether clients of `/mcp` get the tool `decide`, with which a model may approve the calls of
    agents, also of its own."""

    audit_retention_days: float = Field(default=365, ge=0, le=36_500, allow_inf_nan=False)
    """Days for which rows of the audit log are kept; 0 or empty keeps them forever."""
    audit_stdout: bool = False
    """Whether the API also prints each row of the audit log on stdout, as a line of JSON."""
    journal_owner: str = Field(default="", repr=False)
    """Address of the journal in Postgres with the user who owns its tables, for `relayline migrate`
    alone; empty means `RELAYLINE_JOURNAL`."""
    tenant_keys_file: Path | None = None
    """TOML file with keys that tenants have of their own with providers, a table for each tenant:
    `[acme]`, `openai = "sk-…"`. For workers; tenants without one use the worker's key."""

    tool_secrets: Path | None = None
    """Folder of secrets that tools may read by name (`context.secrets`), a file for each. For
    workers with tools, which read it at their start."""

    @field_validator("journal_owner")
    @classmethod
    def _check_owner(cls, address: str) -> str:
        return checked_dsn(address) if address else address

    @field_validator("audit_retention_days", mode="before")
    @classmethod
    def _zero_if_empty(cls, value: object) -> object:
        return value or 0

    @property
    def audit_retention(self) -> timedelta | None:
        """How long rows of the audit log are kept; None means forever."""
        days = self.audit_retention_days
        return timedelta(days=days) if days else None

    @field_validator("auth")
    @classmethod
    def _check_auth(cls, text: str) -> str:
        parts = [part.strip() for part in text.split(",")]
        if text not in {OFF, BEHIND_PROXY} and not (
            _MODES.issuperset(parts) and len({*parts}) == len(parts)
        ):
            raise ValueError("use off, off-behind-proxy, keys, oidc or keys,oidc")
        return ",".join(parts)

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, text: str) -> str:
        SecretRing.parse(text)
        return text

    @field_validator("secret_file", "tenant_keys_file", "tool_secrets", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return value or None

    @field_validator("four_eyes")
    @classmethod
    def _check_four_eyes(cls, text: str) -> str:
        for name in filter(None, map(str.strip, text.split(","))):
            if not re.fullmatch(TENANT_PATTERN, name):
                raise ValueError(f"{name!r} is no tenant: write names, separated by commas, or all")
        return text

    @property
    def four_eyes_tenants(self) -> frozenset[str]:
        """The names in `four_eyes`."""
        return frozenset(filter(None, map(str.strip, self.four_eyes.split(","))))

    @property
    def auth_modes(self) -> frozenset[AuthMode]:
        """How clients prove who they are; empty: they need not."""
        return frozenset(mode for mode in _MODES if mode in self.auth.split(","))
