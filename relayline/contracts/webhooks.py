"""Webhooks: what receivers are told, and the state of a delivery."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from relayline.contracts.frozen import Frozen

WEBHOOKS_QUEUE = "webhooks"
"""The task queue of deliveries; a slow receiver holds up neither runs nor housekeeping."""
WEBHOOK_ID_PATTERN = r"^wh_[0-9a-f]{32}$"
DELIVERY_ID_PATTERN = r"^dlv_[0-9a-f]{32}$"
DEFAULT_SECRET = "default"  # noqa: S105  a name
"""In place of a receiver's id: the secret of the tenant, for receivers that a run names by URL."""
DELIVER_WORKFLOW = "DeliverWebhook"
"""The workflow type of deliveries; there is one workflow per receiver."""
TEST_TYPE = "webhook.test"
"""The type of what `POST /v1/webhooks/{id}/test` sends."""
MAX_OUTPUT_BYTES = 64 * 1024
"""A longer output is cut in a delivery; the run itself has it whole."""
MAX_URL_CHARS = 2048
MAX_AGENTS = 100

ToldType = Literal[
    "run.queued",
    "run.waiting",
    "turn.completed",
    "run.completed",
    "run.failed",
    "run.cancelled",
    "run.terminated",
    "run.timed_out",
]
"""An event of which receivers are told."""
TOLD_TYPES: tuple[str, ...] = get_args(ToldType)


def deliver_workflow_id(webhook_id: str) -> str:
    """Id of the workflow that tells this receiver."""
    return f"webhook-{webhook_id}"


class DeliveryState(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    """It will be tried, for the first time or again."""
    DELIVERED = "delivered"
    """The receiver has answered with 2xx."""
    FAILED = "failed"
    """It was tried for as long as the deployment tries."""
    DISABLED = "disabled"
    """The receiver is disabled; it is tried once the receiver is enabled."""


class TryOutcome(StrEnum):
    """What came of one try."""

    DELIVERED = "delivered"
    """The receiver has answered with 2xx."""
    FAILED = "failed"
    """The receiver has not taken it; it will be tried again."""
    REFUSED = "refused"
    """Nothing was sent, because the URL may not be reached; it will be tried again."""
    GIVEN_UP = "given_up"
    """It was the last try; the delivery has failed."""
    DISABLED = "disabled"
    """The receiver is disabled because of this try."""


class DeliverRequest(Frozen):
    """The receiver to tell; neither its URL nor its secret stands in a history."""

    webhook_id: str


class DeliverResult(Frozen):
    """What is left for the receiver."""

    next_at: datetime | None = None
    """When the next delivery is due; None if there is none."""


class DeliveryTry(Frozen):
    """One try."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    at: datetime
    status: int | None = None
    """The HTTP status of the answer; null if there was none."""
    took_ms: int = 0
    """Until the status came, or the try was given up."""
    error: str | None = None
    """Why it was no success; null if it was one."""


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class WebhookView(_Answer):
    """A receiver, without its secret."""

    webhook_id: str
    url: str
    events: tuple[str, ...] | None = None
    """The types of events that it is told of; null: all that receivers can be told of."""
    agents: tuple[str, ...] | None = None
    """It is told of runs of these agents; null: of all."""
    tenant: str
    """It is told of runs of this tenant."""
    named_only: bool = False
    """True if a run has given its URL: it is told of such runs only, signed with the tenant's
    default secret."""
    created_at: datetime
    failing_since: datetime | None = None
    """When the first of the failed tries since its last success was; null if the newest try was a
    success."""
    disabled_at: datetime | None = None
    """Since when it is told nothing more; null while it is told."""
    disabled_reason: str | None = None
    """Why it was disabled."""


class WebhookCreated(WebhookView):
    """A new receiver with its secret, which no other answer has."""

    secret: str = Field(repr=False)
    """Signs what the receiver gets: `whsec_…`, as Standard Webhooks writes it."""


class WebhookSecret(_Answer):
    """A new secret, which no other answer has."""

    webhook_id: str
    """`default`: the tenant's secret for receivers that a run names by URL."""
    secret: str = Field(repr=False)
    """`whsec_…`, as Standard Webhooks writes it."""
    old_secret_until: datetime | None = None
    """Until then both this secret and the one before it sign; null if there was none."""


class WebhookList(_Answer):
    """One page of receivers, newest first."""

    webhooks: tuple[WebhookView, ...]
    cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class WebhookTested(DeliveryTry):
    """What the receiver answered to a test."""

    delivered: bool
    """True if it answered with 2xx."""


class DeliveryView(_Answer):
    """One event for one receiver, with the newest tries."""

    delivery_id: str
    webhook_id: str
    run_id: str
    seq: int
    """Of the event; `webhook-id` is `{run_id}.{seq}`, the same at every try."""
    type: str
    """Of the event."""
    state: DeliveryState
    tries: tuple[DeliveryTry, ...] = ()
    """Oldest first; the newest 50."""
    next_at: datetime | None = None
    """When the next try is due; null if there is none, or an earlier event of the run comes
    first."""


class DeliveryList(_Answer):
    """One page of deliveries, newest first."""

    deliveries: tuple[DeliveryView, ...]
    cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""
