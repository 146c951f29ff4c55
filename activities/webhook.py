"""The activity `tell_receiver`: tries what is due for one receiver, from the journal."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from temporalio import activity
from temporalio.exceptions import ApplicationError

from relayline.activities.presence import heartbeats
from relayline.activities.webhook_body import body_of
from relayline.contracts.envelope import moment
from relayline.contracts.errors import ErrorType
from relayline.contracts.keys import QUEUED_KEY, run_started_key
from relayline.contracts.webhooks import (
    DeliverRequest,
    DeliverResult,
    DeliveryState,
    DeliveryTry,
    TryOutcome,
)
from relayline.journal.port import CursorExpired, JournalUnavailable
from relayline.journal.rows import now_us
from relayline.journal.table import EVERY, Storage
from relayline.journal.webhooks import TRIPPED, Claim, Delivery
from relayline.outbound.receiver import BadReceiver, place_of
from relayline.outbound.sender import GONE, Reply, Sender
from relayline.outbound.signature import signed

AT_ONCE = 8
"""Tries at a time for one receiver, each of another run."""
WORK_S = 30.0
"""After so long the activity returns; the workflow starts it again."""
STALE_S = 5.0
"""A claim that is so old begins no more tries: somebody else may have the receiver by now."""
LOST = "the event is past retention"


@dataclass(frozen=True)
class Patience:
    """When a delivery is tried again, and for how long."""

    pauses_s: Sequence[float] = (5, 300, 1800, 7200, 18_000, 36_000, 43_200)
    """Seconds before the second try, the third and so on; the last one repeats."""
    give_up_s: float = 72 * 3600
    """Seconds from the first try of a delivery to its last."""
    rest_s: float = 300
    """The longest that a receiver that keeps failing rests as a whole."""

    def pause(self, failures: int) -> timedelta:
        """The pause after so many failures, with a tenth of jitter."""
        pause_s = self.pauses_s[min(failures, len(self.pauses_s)) - 1]
        return timedelta(seconds=pause_s * random.uniform(0.95, 1.05))  # noqa: S311

    def rest(self, strikes: int) -> timedelta:
        """How long a receiver rests as a whole that has failed so often in a row."""
        if strikes < TRIPPED:
            return timedelta()
        pause_s = self.pauses_s[0] * float(2 ** min(strikes - TRIPPED, 10))
        return timedelta(seconds=min(pause_s, self.pauses_s[-1], self.rest_s))


class WebhookActivities:
    """Tells receivers. Their URLs and secrets are read here and go nowhere else."""

    def __init__(
        self,
        storage: Storage,
        sender: Sender,
        patience: Patience,
        count: Callable[[TryOutcome], None] = lambda _: None,
    ) -> None:
        """Tell what the journal has.

        Args:
            storage: The journal, with the outbox.
            sender: Sends to receivers that may be reached.
            patience: When a delivery is tried again.
            count: Called once for each try that the journal has taken, with what came of it.
        """
        self._storage = storage
        self._webhooks = storage.webhooks
        self._sender = sender
        self._patience = patience
        self._count = count

    @activity.defn
    async def tell_receiver(self, request: DeliverRequest) -> DeliverResult:
        """Try what is due until nothing is, or `WORK_S` are over; returns when more is due.

        A kill at any time repeats at most the tries under way, with the same `webhook-id`.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
        """
        owner, deadline = uuid4().hex, time.monotonic() + WORK_S
        try:
            async with heartbeats():
                while claim := await self._claim(request.webhook_id, owner):
                    if not claim.due or time.monotonic() >= deadline:
                        break
                    if not await self._tell(claim, owner):
                        break
                next_us = await self._webhooks.release(request.webhook_id, owner)
        except JournalUnavailable as error:
            raise ApplicationError(str(error), type=ErrorType.JOURNAL_UNAVAILABLE) from error
        return DeliverResult(next_at=None if next_us is None else moment(next_us))

    async def _claim(self, webhook_id: str, owner: str) -> Claim | None:
        return await self._webhooks.claim(webhook_id, owner, now_us(), AT_ONCE)

    async def _tell(self, claim: Claim, owner: str) -> bool:
        """Try each; False if the receiver now belongs to somebody else, or is disabled.

        Raises:
            JournalUnavailable: of one of them; none is under way any more.
        """
        began = time.monotonic()
        parts = [
            self._try(claim, each, owner, lambda: time.monotonic() - began < STALE_S)
            for each in claim.due
        ]
        done = await asyncio.gather(*parts, return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                raise error
        return all(done)

    async def _try(
        self, claim: Claim, delivery: Delivery, owner: str, may_begin: Callable[[], bool]
    ) -> bool:
        body = await self._body(delivery)
        if not may_begin():
            return True
        now = datetime.now(UTC)
        if body is None:
            tried = delivery.tried(DeliveryTry(at=now, error=LOST))
            lost = replace(tried, state=DeliveryState.FAILED, next_us=None)
            return self._counted(
                await self._webhooks.record(owner, lost, now_us(), None), TryOutcome.GIVEN_UP
            )
        reply = await self._send(claim, delivery, body)
        done = DeliveryTry(at=now, status=reply.status, took_ms=reply.took_ms, error=reply.error)
        return await self._judge(claim, delivery.tried(done), owner, reply)

    async def _send(self, claim: Claim, delivery: Delivery, body: bytes) -> Reply:
        at_us = now_us()
        try:
            place = place_of(claim.receiver.url)
        except BadReceiver as error:  # an older version has let it pass
            return Reply(None, 0, str(error), refused=True)
        message_id = f"{delivery.run_id}.{delivery.seq}"
        secrets = claim.secrets.at(at_us)
        headers = signed(secrets, message_id, at_us // 1_000_000, body)
        return await self._sender.send(place, headers, body)

    async def _judge(self, claim: Claim, tried: Delivery, owner: str, reply: Reply) -> bool:
        """Write what came of a try, and what follows from it."""
        at_us = now_us()
        if reply.error is None:
            done = replace(tried, state=DeliveryState.DELIVERED, next_us=None)
            held = await self._webhooks.record(owner, done, at_us, None)
            return self._counted(held, TryOutcome.DELIVERED)
        failed = self._failed(tried, at_us, reply)
        strikes = claim.receiver.strikes + 1
        resume_us = at_us + _us(self._patience.rest(strikes))
        held = await self._webhooks.record(owner, failed, at_us, resume_us)
        reason = self._reason_to_disable(claim, failed, at_us, reply)
        if held and reason and await self._webhooks.disable(tried.webhook_id, reason, at_us):
            told = {"webhook_id": tried.webhook_id, "reason": reason}
            activity.logger.warning("a receiver of webhooks is disabled", extra=told)
            self._count(TryOutcome.DISABLED)
            return False
        return self._counted(held, _outcome_of(failed, reply)) and not reason

    def _counted(self, held: bool, outcome: TryOutcome) -> bool:
        """Whether the claim is still held; a try that the journal has not taken is not counted."""
        if held:
            self._count(outcome)
        return held

    def _failed(self, tried: Delivery, now_us: int, reply: Reply) -> Delivery:
        """The delivery after one more failure: due again, or given up."""
        failures = tried.failures + 1
        until_us = tried.until_us or now_us + _us(timedelta(seconds=self._patience.give_up_s))
        if now_us >= until_us:
            return replace(tried, state=DeliveryState.FAILED, next_us=None, failures=failures)
        pause = max(self._patience.pause(failures), reply.retry_after or timedelta())
        next_us = min(now_us + _us(pause), until_us)
        return replace(tried, failures=failures, next_us=next_us, until_us=until_us)

    def _reason_to_disable(
        self, claim: Claim, failed: Delivery, now_us: int, reply: Reply
    ) -> str | None:
        if reply.status == GONE:
            return "it answered 410: it wants to be told no more"
        since_us = claim.receiver.failing_us
        if failed.state is not DeliveryState.FAILED or since_us is None:
            return None
        failing_s = (now_us - since_us) / 1_000_000
        if failing_s < self._patience.give_up_s:
            return None
        return f"no try has succeeded for {failing_s / 3600:.0f} h"

    async def _body(self, delivery: Delivery) -> bytes | None:
        """What to send; None if the event is gone."""
        run_id, seq = delivery.run_id, delivery.seq
        with suppress(CursorExpired):
            events = await self._storage.read(EVERY, run_id, seq - 1, 1)
            given = await self._storage.get(EVERY, run_id, QUEUED_KEY)
            given = given or await self._storage.get(EVERY, run_id, run_started_key(0))
            if events and given and events[0].seq == seq:
                return body_of(events[0], given.data)
        return None


def _outcome_of(failed: Delivery, reply: Reply) -> TryOutcome:
    if failed.state is DeliveryState.FAILED:
        return TryOutcome.GIVEN_UP
    return TryOutcome.REFUSED if reply.refused else TryOutcome.FAILED


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
