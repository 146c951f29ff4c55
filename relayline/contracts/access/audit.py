"""The audit log as clients see it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict, JsonValue

from relayline.contracts.frozen import Frozen


class Action(StrEnum):
    """What the audit log has rows of."""

    RUN_SUBMIT = "run.submit"
    RUN_PAUSE = "run.pause"
    RUN_RESUME = "run.resume"
    RUN_REDIRECT = "run.redirect"
    RUN_CANCEL = "run.cancel"
    RUN_ANSWER = "run.answer"
    RUN_MESSAGE = "run.message"
    RUN_CLOSE = "run.close"
    RUN_ERASE = "run.erase"
    APPROVAL_DECIDE = "approval.decide"
    BATCH_SUBMIT = "batch.submit"
    BATCH_CANCEL = "batch.cancel"
    SCHEDULE_CREATE = "schedule.create"
    SCHEDULE_CHANGE = "schedule.change"
    SCHEDULE_TRIGGER = "schedule.trigger"
    SCHEDULE_DELETE = "schedule.delete"
    WEBHOOK_REGISTER = "webhook.register"
    WEBHOOK_REMOVE = "webhook.remove"
    WEBHOOK_ROTATE = "webhook.rotate"
    WEBHOOK_TEST = "webhook.test"
    WEBHOOK_ENABLE = "webhook.enable"
    WEBHOOK_REDELIVER = "webhook.redeliver"
    FILE_UPLOAD = "file.upload"
    KEY_CREATE = "key.create"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"
    TENANT_KEY_CREATE = "tenant-key.create"
    TENANT_KEY_ERASE = "tenant-key.erase"
    TENANT_KEY_ERASED = "tenant-key.erased"
    """Nothing of the tenant is left."""
    QUOTAS_SET = "quotas.set"
    QUOTAS_REMOVE = "quotas.remove"
    DENIED = "request.denied"
    """401 or 403; a sample of them."""


class AuditView(Frozen):
    """A row of the audit log; it never has content."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    seq: int
    """Its place in the chain of the tenant: 1, 2, 3, …"""
    id: str
    at: datetime
    tenant: str
    """Of who asked; `-` if nobody knows."""
    subject: str
    """Who asked: the name of a key, or the `sub` of a token; empty if nobody knows."""
    key_id: str
    """The API key, if it was one."""
    via: str
    """What proved who asked: `key`, `oidc`, `cli` (`relayline key`); empty: nothing did."""
    address: str
    """The client's address."""
    action: str
    target: str
    """The id of what was acted on; of a denial, the path."""
    outcome: str
    """`accepted`; `repeated`: it had been done before; `failed`: Temporal did not take the run;
    `unauthenticated` and `forbidden` for denials."""
    request_id: str
    """The request's `X-Request-Id`, or one that was made here."""
    detail: dict[str, JsonValue]
    """Such as the command's id, a decision with the SHA-256 of the arguments, a new key's scopes.
    """
    hash: str
    """SHA-256 over the row and the hash before it."""


class AuditPage(Frozen):
    """Rows of the audit log, oldest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    items: tuple[AuditView, ...]
    next: int
    """Pass it as `after` to continue; the same again when there is nothing newer."""
