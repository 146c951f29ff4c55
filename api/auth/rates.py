"""Rates: how many requests a key and its tenant may send, by class; counted in each process.

The headers are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relayline.api import problems
from relayline.api.auth.bearer import access_of
from relayline.api.errors import ApiError
from relayline.contracts.access.rates import Rate, RateClass, Rates
from relayline.contracts.principals import Principal

MAX_BUCKETS = 20_000
"""Buckets that are kept; the one that was not used for the longest time is forgotten, full."""
_ROUNDING = 1e-9
"""Of a request, so that a bucket that lacks nothing but a rounding takes one."""
_SUBMITS = re.compile(r"/v1/(runs|batches|files|schedules|schedules/[^/]+/trigger)")


def class_of(method: str, path: str) -> RateClass:
    """The class of a request."""
    if method in {"GET", "HEAD", "OPTIONS"}:
        return RateClass.READ
    return RateClass.SUBMIT if _SUBMITS.fullmatch(path) else RateClass.STEER


class Standing(NamedTuple):
    """A bucket after a request."""

    name: str
    """Of its policy: `key-submit`, `tenant-read`."""
    rate: Rate
    left: float
    """Requests that it would still take; negative: it took none, and this is what it lacks."""

    @property
    def wait_s(self) -> int:
        """Whole seconds until it takes another one, or, if it would, until it is full."""
        missing = -self.left if self.left < 0 else self.rate.quota - self.left
        return max(1, math.ceil(missing * self.rate.window_s / self.rate.quota))


class RateLimited(ApiError):
    """More requests than the rate allows; `limit`, `window_s` and `policy` are members."""

    status = 429
    slug = "rate-limited"
    title = "Too many requests"

    def __init__(self, standing: Standing) -> None:
        name, rate = standing.name, standing.rate
        whose, _, kind = name.partition("-")
        super().__init__(
            f"this {whose} may send {rate.quota} requests of class {kind!r} in {rate.window_s} s; "
            f"the next one in {standing.wait_s} s",
            policy=name,
            limit=rate.quota,
            window_s=rate.window_s,
        )
        self.retry_after_s = standing.wait_s


class Buckets:
    """A token bucket for each key and class, and one for each tenant and class."""

    def __init__(
        self, per_key: Rates, per_tenant: Rates, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """All buckets are full.

        Args:
            per_key: What one key or token subject may send.
            per_tenant: What all of a tenant together may send.
            clock: Seconds.
        """
        self._per_key = per_key
        self._per_tenant = per_tenant
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()
        """What is left, and when that was so."""

    def take(self, principal: Principal, kind: RateClass) -> Standing | None:
        """Take from the buckets of the principal; the one with the least left, None without rates.

        Nothing is taken from either if one of them is empty.
        """
        if principal.tenant is None:
            return None
        tenant, whose = principal.tenant, principal.key_id or f"{principal.via}:{principal.subject}"
        asked = [
            (("key", tenant, whose, kind), self._per_key.get(kind)),
            (("tenant", tenant, kind), self._per_tenant.get(kind)),
        ]
        now = self._clock()
        found = [
            (name, Standing(f"{name[0]}-{kind}", rate, self._left(name, rate, now) - 1))
            for name, rate in asked
            if rate is not None
        ]
        if not found:
            return None
        least = min((standing for _, standing in found), key=lambda it: it.left / it.rate.quota)
        empty = [standing for _, standing in found if standing.left < 0]
        if empty:
            return max(empty, key=lambda it: it.wait_s)
        for name, standing in found:
            self._buckets[name] = standing.left, now
            self._buckets.move_to_end(name)
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return least

    def _left(self, name: tuple[str, ...], rate: Rate, now: float) -> float:
        left, at = self._buckets.get(name, (float(rate.quota), now))
        filled = (now - at) * rate.quota / rate.window_s
        return min(float(rate.quota), left + filled + _ROUNDING)


class LimitRates:
    """ASGI middleware behind authentication: 429 for a principal whose bucket is empty.

    Every answer to a request that was counted says how many are left.
    """

    def __init__(self, app: ASGIApp, buckets: Buckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        access = access_of(scope) if scope["type"] == "http" else None
        kind = class_of(scope["method"], scope["path"]) if access else RateClass.READ
        standing = self._buckets.take(access.principal, kind) if access else None
        if standing is None:
            await self._app(scope, receive, send)
            return
        headers = headers_of(standing)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        if standing.left >= 0:
            await self._app(scope, receive, telling)
        else:
            await problems.answer_to(RateLimited(standing))(scope, receive, telling)


def headers_of(standing: Standing) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit`."""
    name, rate = standing.name, standing.rate
    left = max(0, math.floor(standing.left))
    return {
        "RateLimit-Policy": f'"{name}";q={rate.quota};w={rate.window_s}',
        "RateLimit": f'"{name}";r={left};t={standing.wait_s}',
    }
