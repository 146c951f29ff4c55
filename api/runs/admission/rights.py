"""What a sender may ask of a run: for which tenant, with which limits."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TypeGuard

from relayline.api.auth.port import Forbidden
from relayline.api.bodies import RunRequest
from relayline.api.errors import InvalidField
from relayline.contracts.principals import Principal, Scope
from relayline.contracts.runs import DEFAULT_TENANT, AgentSpec, Limits

MAX_TENANT_CHARS = 255
"""The most that Temporal's visibility stores on Postgres and MySQL hold in a keyword."""
MAX_TENANT_BYTES = 680
"""Temporal holds 2,048 bytes of JSON, in which a character has up to three bytes for each of its
bytes in UTF-8."""


def tenant_of(metadata: Mapping[str, str], sender: Principal) -> str:
    """The tenant of the run: the sender's; while authentication is off, what the metadata say.

    Temporal would accept one that its visibility store can't hold, and never list the run.

    Raises:
        InvalidField: it is not the sender's, too long, or has control characters.
    """
    if sender.tenant is not None:
        if metadata.get("tenant") not in {None, sender.tenant}:
            raise InvalidField(
                "metadata.tenant: the run belongs to the tenant of its credentials; leave it out",
                field="metadata.tenant",
            )
        return sender.tenant
    tenant = metadata.get("tenant") or DEFAULT_TENANT
    if len(tenant) > MAX_TENANT_CHARS:
        raise InvalidField(
            f"metadata.tenant: {len(tenant)} characters, at most {MAX_TENANT_CHARS} are allowed",
            field="metadata.tenant",
            limit=MAX_TENANT_CHARS,
        )
    if (size := len(tenant.encode())) > MAX_TENANT_BYTES:
        raise InvalidField(
            f"metadata.tenant: {size} bytes of UTF-8, at most {MAX_TENANT_BYTES} are allowed",
            field="metadata.tenant",
            limit=MAX_TENANT_BYTES,
        )
    if any(unicodedata.category(char) == "Cc" for char in tenant):
        raise InvalidField(
            "metadata.tenant: control characters are not allowed", field="metadata.tenant"
        )
    return tenant


def check_scopes(request: RunRequest, agent: AgentSpec, sender: Principal) -> None:
    """Return if the sender may ask for all of it.

    Raises:
        Forbidden: for higher limits than the agent's, or for a receiver by its URL, a scope is
            missing; the message names it.
    """
    if request.webhook and request.webhook.url and Scope.WEBHOOKS_ADMIN not in sender.scopes:
        raise Forbidden.lacks(Scope.WEBHOOKS_ADMIN)
    if request.limits is not None:
        check_limits(request.limits.model_dump(exclude_unset=True), agent.limits, sender)


def check_limits(given: Mapping[str, object], own: Limits, sender: Principal) -> None:
    """Return if the sender may have limits like these.

    Args:
        given: Some or all fields of `Limits`.
        own: Those of the agent.
        sender: Who asks.

    Raises:
        Forbidden: one is higher, and the scope for that is missing.
    """
    if Scope.RUNS_UNLIMITED in sender.scopes:
        return
    for name, asked in given.items():
        most = getattr(own, name)
        if _is_number(most) and not (_is_number(asked) and asked <= most):
            raise Forbidden.lacks(Scope.RUNS_UNLIMITED)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float)
