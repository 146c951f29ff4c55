"""Grants: tokens for the events of one run, given to who may read it."""

from __future__ import annotations

from relayline.api.auth.stream_tokens import StreamTokens
from relayline.api.errors import ApiError
from relayline.api.key_bodies import StreamTokenRequest
from relayline.api.runs.owners import seen_by
from relayline.api.runs.views import Views
from relayline.contracts.access.credentials import StreamToken
from relayline.contracts.principals import Principal


class NoSecret(ApiError):
    """The deployment has no secret to sign with."""

    status = 409
    slug = "no-secret"
    title = "This server can't make stream tokens"


class StreamGrants:
    """Gives out stream tokens."""

    def __init__(self, views: Views, tokens: StreamTokens) -> None:
        self._views = views
        self._tokens = tokens

    async def grant(self, principal: Principal, request: StreamTokenRequest) -> StreamToken:
        """A token for the events of that run.

        Raises:
            NoSecret: see there.
            UnknownRun: there is no such run, or it is another tenant's.
            TemporalUnavailable, JournalUnavailable: as `Views.head`.
        """
        if not self._tokens.can_sign:
            raise NoSecret("stream tokens need RELAYLINE_SECRET, the same for every API process")
        tenant = seen_by(principal)
        await self._views.head(tenant, request.run_id)
        issued = self._tokens.issue(principal, request.run_id, request.ttl_s)
        return StreamToken(token=issued.token, run_id=request.run_id, expires_at=issued.expires_at)
