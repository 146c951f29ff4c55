"""The port to receivers of webhooks and to what each of them is told: the outbox of the journal.

A fact of `TOLD_TYPES` that is appended while there is a receiver leaves a note in the transaction
of its append, whoever appends it. `plan` makes deliveries of the notes, one for each receiver that
must be told; `claim` and `record` try them. So nothing depends on the process that was there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple, Protocol

from relayline.contracts.webhooks import DeliveryState, DeliveryTry
from relayline.journal.table import Tenant

OVERLAP = timedelta(hours=24)
"""How long the secret before the newest one signs, too."""
LEASE = timedelta(seconds=15)
"""How long nobody else is called to a receiver after whoever is at it was last heard of."""
KEPT_TRIES = 50
TRIPPED = 10
"""After so many failed tries in a row, of any runs, a receiver gets one try at a time."""


@dataclass(frozen=True)
class Secrets:
    """What signs the deliveries of a receiver."""

    secret: str = field(repr=False)
    old_secret: str | None = field(default=None, repr=False)
    old_until_us: int = 0
    """Until when the old one signs, too; microseconds since 1970."""

    def at(self, now_us: int) -> tuple[str, ...]:
        """Those that sign now, the newest first."""
        old = self.old_secret if now_us < self.old_until_us else None
        return (self.secret, *([old] if old else []))

    def rotated(self, secret: str, now_us: int) -> Secrets:
        """These after a rotation: only the newest two sign."""
        until_us = now_us + OVERLAP // timedelta(microseconds=1)
        return Secrets(secret, self.secret, until_us)


@dataclass(frozen=True)
class Receiver:
    """A receiver, without its secrets."""

    webhook_id: str
    tenant: str
    url: str
    events: tuple[str, ...] | None = None
    """Types that it is told of; None: all."""
    agents: tuple[str, ...] | None = None
    """It is told of the runs of these; None: of all."""
    named_only: bool = False
    """True: it is told only of runs that name it."""
    created_us: int = 0
    failing_us: int | None = None
    """When the first of the failed tries since the last success was."""
    strikes: int = 0
    """Failed tries since the last success, of any runs."""
    disabled_us: int | None = None
    disabled_reason: str | None = None

    @property
    def secret_id(self) -> str:
        """The secret that signs its deliveries: its own, or the tenant's."""
        return tenant_secret(self.tenant) if self.named_only else self.webhook_id


def tenant_secret(tenant: str) -> str:
    """Id of the tenant's default secret."""
    return f"tenant:{tenant}"


@dataclass(frozen=True)
class Delivery:
    """One event for one receiver."""

    delivery_id: str
    webhook_id: str
    tenant: str
    run_id: str
    seq: int
    type: str
    state: DeliveryState
    tries: tuple[DeliveryTry, ...] = ()
    failures: int = 0
    """Failed tries since it was planned, or asked for again."""
    next_us: int | None = None
    """When it is due; None if it is not, or waits for an earlier event of its run."""
    until_us: int | None = None
    """When it is given up; None before its first try."""
    created_us: int = 0

    def tried(self, result: DeliveryTry) -> Delivery:
        """This with one more try, not yet judged."""
        return replace(self, tries=(*self.tries, result)[-KEPT_TRIES:])


class Backlog(NamedTuple):
    """How much is left to tell, of all tenants."""

    pending: int
    """Deliveries that will be tried."""
    oldest_us: int | None
    """When the event of the oldest of them was; microseconds since 1970, None if there is none."""
    untold: int
    """Notes of which no deliveries are made yet."""
    receivers: int
    failing: int
    """Receivers that are told and whose newest try has failed."""
    disabled: int


class Claim(NamedTuple):
    """Whom to tell, and what: of each run at most one."""

    receiver: Receiver
    secrets: Secrets
    due: Sequence[Delivery]


class Place(NamedTuple):
    """The place of a receiver or of a delivery in its list, which is newest first."""

    created_us: int
    id: str


class Webhooks(Protocol):
    """Receivers and their deliveries.

    Guarantees, which the contract suite checks on every adapter:

    1. A fact of `TOLD_TYPES` whose append has returned is planned for every receiver that was there
       before, whichever process appended it and whatever died since.
    2. Per receiver and run, deliveries are due in the order of `seq`: none before the one before it
       is settled, unless somebody has asked for it again.
    3. Who has lost a receiver to a later claim records nothing more.

    All methods raise `JournalUnavailable` if the storage does not answer. Methods that take a
    tenant see nothing of others.
    """

    async def add(self, receiver: Receiver, secret: str) -> Receiver:
        """Add the receiver, unless that id is there; returns the one that is there now.

        The secret is kept only where its `secret_id` has none yet.
        """
        ...

    async def receiver(self, tenant: Tenant, webhook_id: str) -> Receiver | None:
        """That receiver; None if the tenant has none of that id."""
        ...

    async def receivers(
        self, tenant: Tenant, limit: int, before: Place | None = None
    ) -> Sequence[Receiver]:
        """At most `limit` receivers after `before`, newest first."""
        ...

    async def count(self, tenant: str) -> int:
        """How many receivers the tenant has registered; those that runs have named don't count."""
        ...

    async def remove(self, tenant: Tenant, webhook_id: str) -> bool:
        """Delete the receiver and its deliveries; False if there is none."""
        ...

    async def touch(self, tenant: Tenant, webhook_id: str, at_us: int) -> bool:
        """Note that a run is about to name the receiver; False if the tenant has none of that id.

        `add` notes the same.
        """
        ...

    async def forget(self, before_us: int, limit: int) -> int:
        """Remove at most `limit` receivers that only runs named; returns how many.

        Those stay that were named since then, and those of which the journal has a delivery, or a
        run that names them. None goes while a fact from before then is not planned.
        """
        ...

    async def secrets(self, secret_id: str) -> Secrets | None:
        """The secrets; None if there are none."""
        ...

    async def rotate(self, secret_id: str, secret: str, now_us: int) -> Secrets:
        """Make this the newest secret; the one before it signs, too, for `OVERLAP`.

        A repetition with the same secret changes nothing.
        """
        ...

    async def disable(self, webhook_id: str, reason: str, now_us: int) -> bool:
        """Tell it nothing more; what is pending, and what comes, waits as `disabled`.

        False if it was disabled already, or is gone.
        """
        ...

    async def enable(self, tenant: Tenant, webhook_id: str, now_us: int) -> Receiver | None:
        """Tell it again, beginning with what has waited; None if there is none."""
        ...

    async def plan(self, limit: int) -> int:
        """Make deliveries of at most `limit` notes, oldest of each run first; returns how many.

        Raises:
            Unreadable: this process can't read what a tenant's key has sealed. The notes of others
                are planned; those wait for a process that can.
        """
        ...

    async def due(self, now_us: int, limit: int) -> Sequence[str]:
        """Receivers for which something is due and whom nobody is telling, at most `limit`."""
        ...

    async def claim(self, webhook_id: str, owner: str, now_us: int, limit: int) -> Claim | None:
        """Take the receiver, also from who has it; None if it is gone or disabled.

        A receiver that is `TRIPPED` is given one delivery.
        """
        ...

    async def record(
        self, owner: str, delivery: Delivery, now_us: int, resume_us: int | None
    ) -> bool:
        """Write what came of a try: state, tries, failures, times; False if the claim is lost.

        A settled one makes the next of its run due.

        Args:
            owner: As in `claim`.
            delivery: With its newest try.
            now_us: Microseconds since 1970.
            resume_us: Before then nothing at all is due for the receiver; None: the try was a
                success.
        """
        ...

    async def release(self, webhook_id: str, owner: str) -> int | None:
        """Leave the receiver; returns when its next delivery is due, None if there is none."""
        ...

    async def deliveries(
        self,
        tenant: Tenant,
        webhook_id: str,
        wanted: tuple[str | None, DeliveryState | None],
        limit: int,
        before: Place | None = None,
    ) -> Sequence[Delivery]:
        """At most `limit` deliveries after `before`, newest first; `wanted`: run and state."""
        ...

    async def delivery(self, tenant: Tenant, delivery_id: str) -> Delivery | None:
        """That delivery; None if the tenant has none of that id."""
        ...

    async def redeliver(self, tenant: Tenant, delivery_id: str, now_us: int) -> None:
        """Make the delivery due now, for as long as a new one.

        Without effect if the tenant has none of that id.
        """
        ...

    async def backlog(self) -> Backlog:
        """How much is left to tell; takes time proportional to what is pending."""
        ...

    async def erase(self, tenant: Tenant, run_id: str) -> None:
        """Delete what receivers have been told of the run, and will be."""
        ...
