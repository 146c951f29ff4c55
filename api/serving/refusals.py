"""Errors of connections and of requests that no route sees."""

from __future__ import annotations

from relayline.api.errors import RETRY_AFTER, ApiError


class HeadTooLarge(ApiError):
    """The head of a request is too large; `limit` is a member."""

    status = 431
    slug = "head-too-large"
    title = "The head of the request is too large"


class TooSlow(ApiError):
    """A request did not arrive in time; `field` says which part, `limit` the seconds."""

    status = 408
    slug = "request-timeout"
    title = "The request did not arrive in time"


class ForeignHost(ApiError):
    """The `Host` is not a name of this server: somebody's DNS points here."""

    status = 403
    slug = "foreign-host"
    title = "This server does not have that name"


class ForeignOrigin(ApiError):
    """A web page of another site asks, and its origin is not listed."""

    status = 403
    slug = "foreign-origin"
    title = "The request comes from another site"


class TooManyConnections(ApiError):
    """Open connections per client address; `limit` is a member."""

    status = 429
    slug = "too-many-connections"
    title = "Too many open connections"
    headers = RETRY_AFTER
