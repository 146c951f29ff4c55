"""Who asks: a principal with its tenant and its scopes, whatever proved it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
"""Names of tenants with authentication on."""


class Scope(StrEnum):
    """What a principal may do; each route of the API asks for one."""

    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    """Submit runs, batches, schedules."""
    RUNS_STEER = "runs:steer"
    """Pause, resume, redirect, answer."""
    RUNS_APPROVE = "runs:approve"
    """Approve and deny; apart, so that who submits does not approve by the same right."""
    RUNS_CANCEL = "runs:cancel"
    RUNS_ERASE = "runs:erase"
    RUNS_UNLIMITED = "runs:unlimited"
    """Ask for limits above those of the agent."""
    AGENTS_READ = "agents:read"
    METRICS_READ = "metrics:read"
    SYSTEM_READ = "system:read"
    WEBHOOKS_ADMIN = "webhooks:admin"
    PAYLOADS_DECODE = "payloads:decode"
    KEYS_ADMIN = "keys:admin"
    AUDIT_READ = "audit:read"
    TENANTS_ADMIN = "tenants:admin"
    """Act for other tenants: make their keys, set their quotas."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as one request proved it."""

    subject: str
    """Its name in `by`, facts and the audit log: a key's name, or the `sub` of a token."""
    tenant: str | None
    """None: all tenants, while authentication is off."""
    scopes: frozenset[Scope]
    via: Literal["off", "key", "oidc", "stream"]
    """What proved it; a stream token proves reading one run's events alone."""
    key_id: str | None = None
    """The API key, also that of the principal who took a stream token."""
    expires_at: datetime | None = None
    """When the credential ends by itself; None: never."""
    run_id: str | None = None
    """The only run that a stream token opens; None: any of the tenant."""

    @property
    def key_space(self) -> str:
        """Put before an `Idempotency-Key`: two tenants may use the same one.

        Empty while authentication is off. No header has a NUL.
        """
        return "" if self.via == "off" else f"tenant\0{self.tenant}\0"

    def speaks_as(self, claimed: str) -> tuple[str, str]:
        """Who sends a command, and on whose behalf.

        Args:
            claimed: The `by` that the request gave: that of the command while authentication is
                off, and else only what the sender says.
        """
        return (claimed, "") if self.via == "off" else (self.subject, claimed)


def with_every_tenant(sender: Principal) -> bool:
    """True for those who may look after the keys of all tenants."""
    return sender.tenant is None or Scope.TENANTS_ADMIN in sender.scopes


ANYBODY = Principal("", None, frozenset(Scope), "off")
"""The principal of each request while authentication is off."""
