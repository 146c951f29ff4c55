"""A tenant with something of everything, and words in it that nobody else may read."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from relayline.journal.access.issuing import IssuedKey
from relayline.journal.table import Storage
from relayline.journal.webhooks import Receiver
from tests.api.asking import asks
from tests.api.auth.keyed import bearer, issued
from tests.api.auth.test_tenants_apart import GOOD, belongings
from tests.api.serving import Api, completed, said, started

TENANT = "acme"
"""Also whose tokens an issuer of the tests signs."""


@dataclass(frozen=True)
class Victim:
    """What it has, and who it is."""

    owner: IssuedKey
    ids: dict[str, list[str]]
    """Values of parameters, by name."""
    words: frozenset[str]
    """Stand in its inputs, outputs, metadata, URLs and names; it alone may read them."""
    cursors: list[str]
    """Of its lists."""
    idempotency_key: str

    @property
    def headers(self) -> dict[str, str]:
        """Its own."""
        return bearer(self.owner)

    def names(self) -> frozenset[str]:
        """Its ids, which others may know, and learn nothing from."""
        plain = {"approval_id", "command_id"}  # mean nothing without their run
        return frozenset(it for name, ids in self.ids.items() if name not in plain for it in ids)


async def victim(api: Api) -> Victim:
    """Make one, with everything."""
    storage, words = api.journal, [f"zq{secrets.token_hex(6)}" for _ in range(12)]
    word = iter(words)
    owner = await issued(storage, TENANT, name=next(word))
    headers, idempotency_key = bearer(owner), f"key-{uuid4().hex}"
    has = await belongings(api, headers, TENANT)
    ids = {name: [value] for name, value in has.items() if name != "ended"}
    ids["run_id"] += [has["ended"]]

    async def post(path: str, body: dict[str, Any], **more: str) -> Any:
        answer = await api.http.post(path, json=body, headers=headers | more)
        assert answer.is_success, answer.text
        return answer.json()

    run = {**GOOD, "input": next(word), "metadata": {"project": next(word)}}
    keyed = {"Idempotency-Key": idempotency_key}
    open_, ended = [(await post("/v1/runs", run, **more))["run_id"] for more in (keyed, {})]
    await storage.append(open_, [started(), said(next(word)), *asks()])
    await storage.append(ended, [started(), completed(next(word))])
    ids["run_id"] += [open_, ended]
    batch = {"runs": [{**GOOD, "input": next(word)}], "metadata": {"project": next(word)}}
    ids["batch_id"] += [(await post("/v1/batches", batch))["batch_id"]]
    key = await post("/v1/keys", {"name": next(word), "scopes": ["runs:read"]})
    ids["key_id"] = [owner.stored.key_id, key["key_id"]]
    ids["webhook_id"] += [await receiver(storage, next(word))]
    ids["tenant"] = [TENANT]
    cursors = [await cursor(api, path, headers) for path in ("/v1/runs", "/v1/keys")]
    used = frozenset(words) - {*word}
    return Victim(owner, ids, used, cursors, idempotency_key)


async def receiver(storage: Storage, word: str) -> str:
    """A webhook of the tenant, with the word in its URL."""
    made = Receiver(f"wh_{uuid4().hex}", TENANT, f"http://127.0.0.1:9/{word}")
    await storage.webhooks.add(made, "whsec_" + "A" * 32)
    return made.webhook_id


async def cursor(api: Api, path: str, headers: dict[str, str]) -> str:
    """Where the second page of a list begins."""
    answer = await api.http.get(path, params={"limit": 1}, headers=headers)
    found: str = answer.json()["cursor"]
    return found


async def everything(api: Api, of: Victim) -> dict[str, Any]:
    """What the tenant sees of its own, as far as nobody but it may change it."""
    ids = of.ids
    paths = ["/v1/runs?limit=100", "/v1/webhooks?limit=100"]
    paths += [f"/v1/runs/{it}/events?limit=1000" for it in ids["run_id"]]
    paths += [f"/v1/batches/{it}" for it in ids["batch_id"]]
    paths += [f"/v1/webhooks/{it}/deliveries?limit=100" for it in ids["webhook_id"]]
    paths += [f"/v1/keys/{it}" for it in ids["key_id"]]
    paths += [f"/v1/schedules/{it}" for it in ids["schedule_id"]]
    seen: dict[str, Any] = {}
    for path in paths:
        answer = await api.http.get(path, headers=of.headers)
        assert answer.status_code == 200, answer.text
        seen[path] = json.loads(answer.text, object_hook=_lasting)
    return seen


def _lasting(found: dict[str, Any]) -> dict[str, Any]:
    """Without what changes by itself: when a key was used, when a schedule is due."""
    passing = {"last_used_at", "next", "attention"}
    return {name: value for name, value in found.items() if name not in passing}
