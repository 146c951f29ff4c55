"""API keys as their administrators see them: made, listed, replaced, revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from relayline.api.auth.port import Forbidden
from relayline.api.errors import ApiError, InvalidField
from relayline.api.key_bodies import KeyBody, KeyRotation
from relayline.api.signing.cursors import Cursors, ListOf, pattern_of
from relayline.contracts.access.api_keys import KeyCreated, KeyList, KeyView
from relayline.contracts.envelope import microseconds, moment
from relayline.contracts.principals import Principal, Scope, with_every_tenant
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.journal.access.api_keys import ApiKeys, KeyPlace, StoredKey
from relayline.journal.access.issuing import IssuedKey, KeyIssuer, KeyRequest, NoSecret
from relayline.journal.access.key_text import KEY_ID_PATTERN
from relayline.journal.table import EVERY, Tenant

_CURSOR = pattern_of(KEY_ID_PATTERN)


class UnknownKey(ApiError):
    """The tenant has no key with that id."""

    status: ClassVar[int] = 404
    slug = "unknown-key"
    title = "There is no such API key"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"no API key {key_id[:100]!r}")


class KeyRevoked(ApiError):
    """A revoked key can't be replaced."""

    status: ClassVar[int] = 409
    slug = "key-revoked"
    title = "The API key is revoked"


class NoKeys(ApiError):
    """The deployment has no secret to hash keys with."""

    status: ClassVar[int] = 409
    slug = "no-secret"
    title = "This server can't make API keys"


class KeyAdmin:
    """The keys.

    Every method raises `JournalUnavailable` if the journal does not answer, and `UnknownKey` for an
    id that those whom the asker may look after do not have.
    """

    def __init__(self, keys: ApiKeys, issuer: KeyIssuer, cursors: Cursors) -> None:
        self._cursors = cursors
        self._keys = keys
        self._issuer = issuer

    async def create(self, asker: Principal, body: KeyBody) -> KeyCreated:
        """Make a key.

        Raises:
            Forbidden: it would get a scope that the asker lacks, or another tenant's runs.
            InvalidField: it would have expired.
            NoKeys: there is no secret.
        """
        scopes = frozenset(body.scopes)
        _check_grant(asker, scopes)
        tenant = body.tenant or asker.tenant or DEFAULT_TENANT
        if tenant != asker.tenant and not with_every_tenant(asker):
            raise Forbidden.lacks(Scope.TENANTS_ADMIN)
        if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
            raise InvalidField("expires_at: it is in the past", field="expires_at")
        asked = KeyRequest(tenant, body.name, scopes, body.expires_at)
        try:
            return _created(await self._issuer.issue(asked, asker.subject))
        except NoSecret as error:
            raise NoKeys(str(error)) from error

    async def page(self, asker: Principal, limit: int, cursor: str | None) -> KeyList:
        """At most `limit` keys after the cursor, newest first; revoked ones, too.

        Raises:
            BadRequest: it is not a cursor of this list.
        """
        of, before = ListOf("keys", _whose(asker), asker.tenant), None
        if cursor is not None:
            created_us, key_id = self._cursors.decode(of, cursor, _CURSOR)
            before = KeyPlace(int(created_us), key_id)
        found = await self._keys.keys(_whose(asker), limit + 1, before)
        page = found[:limit]
        last = page[-1] if len(found) > limit else None
        following = self._cursors.encode(of, last.created_us, last.key_id) if last else None
        return KeyList(keys=tuple(map(_view, page)), cursor=following)

    async def find(self, asker: Principal, key_id: str) -> KeyView:
        """That key."""
        return _view(await self._key(asker, key_id))

    async def rotate(self, asker: Principal, key_id: str, body: KeyRotation) -> KeyCreated:
        """Make a key that may do the same; the old one ends after the grace.

        Raises:
            Forbidden: the key has a scope that the asker lacks.
            KeyRevoked: it is revoked.
            NoKeys: there is no secret.
        """
        old = await self._key(asker, key_id)
        _check_grant(asker, old.scopes)
        try:
            issued = await self._issuer.rotate(old, timedelta(seconds=body.grace_s), asker.subject)
        except NoSecret as error:
            raise NoKeys(str(error)) from error
        if issued is None:
            raise KeyRevoked(f"{key_id} is revoked; make a new key")
        return _created(issued)

    async def revoke(self, asker: Principal, key_id: str) -> None:
        """Revoke the key: within 10 s nobody is let in by it. Repeating it changes nothing."""
        if not await self._keys.revoke(_whose(asker), key_id, microseconds(datetime.now(UTC))):
            raise UnknownKey(key_id)

    async def _key(self, asker: Principal, key_id: str) -> StoredKey:
        key = await self._keys.find(key_id)
        if key is None or _whose(asker) not in {EVERY, key.tenant}:
            raise UnknownKey(key_id)
        return key


def _whose(asker: Principal) -> Tenant:
    """Whose keys the asker looks after."""
    return EVERY if with_every_tenant(asker) or asker.tenant is None else asker.tenant


def _check_grant(asker: Principal, scopes: frozenset[Scope]) -> None:
    """Return if the asker may hand these scopes on: nobody gives what they do not have.

    Raises:
        Forbidden: it lacks one, which is named.
    """
    for scope in sorted(scopes - asker.scopes):
        raise Forbidden.lacks(scope)


def _created(issued: IssuedKey) -> KeyCreated:
    return KeyCreated(**_view(issued.stored).model_dump(), key=issued.text)


def _view(key: StoredKey) -> KeyView:
    return KeyView(
        key_id=key.key_id,
        name=key.name,
        tenant=key.tenant,
        scopes=tuple(sorted(scope.value for scope in key.scopes)),
        created_at=moment(key.created_us),
        created_by=key.created_by,
        expires_at=_moment(key.expires_us),
        last_used_at=_moment(key.last_used_us),
        revoked_at=_moment(key.revoked_us),
    )


def _moment(at_us: int | None) -> datetime | None:
    return None if at_us is None else moment(at_us)
