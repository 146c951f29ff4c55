"""An API that asks for keys, and keys for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx

from relayline.contracts.principals import Scope
from relayline.journal.access.issuing import IssuedKey, KeyIssuer, KeyRequest
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.table import Storage
from relayline.runtime.settings import Settings
from tests.api.serving import Api

SECRET = "one:" + "s" * 40
EVERYTHING = frozenset(Scope)


def keyed(**fields: Any) -> Settings:
    return Settings(auth="keys", secret=SECRET, key_environment="test", **fields)


def issuer(storage: Storage, secret: str = SECRET) -> KeyIssuer:
    return KeyIssuer(storage.api_keys, SecretRing.parse(secret), "test")


async def issued(
    storage: Storage,
    tenant: str = "blue",
    scopes: Iterable[Scope] = EVERYTHING,
    name: str = "ann",
    secret: str = SECRET,
) -> IssuedKey:
    asked = KeyRequest(tenant, name, frozenset(scopes))
    return await issuer(storage, secret).issue(asked, "tests")


def bearer(key: IssuedKey | str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key.text}"}


async def headers_of(storage: Storage, tenant: str = "blue", *scopes: Scope) -> dict[str, str]:
    """The header of a new key with these scopes; all if none is given."""
    return bearer(await issued(storage, tenant, scopes or EVERYTHING))


async def new_key(journal: Storage, tenant: str, *scopes: Scope) -> str:
    """A new key, for everything unless scopes are given."""
    return (await issued(journal, tenant, scopes or EVERYTHING)).text


async def submitted(api: Api, credential: str) -> str:
    body = {"agent": "assistant", "input": "hello"}
    answer = await api.http.post("/v1/runs", json=body, headers=bearer(credential))
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    return run


def refused(answer: httpx.Response) -> tuple[int, str]:
    """The status and the problem's name."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:relayline:problem:")
