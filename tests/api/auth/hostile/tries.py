"""Draws requests for what is the victim's, from the OpenAPI document."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from tests.api.asking import QUESTION
from tests.api.auth.hostile.credentials import Credential
from tests.api.auth.hostile.direct import Request
from tests.api.auth.hostile.victim import Victim
from tests.api.auth.test_tenants_apart import BODIES, GOOD

T = TypeVar("T")
UNDESCRIBED = (
    *("/v1/runs/{run_id}/", "//v1/runs/{run_id}", "/v1/runs/{run_id}/socket", "/V1/runs/{run_id}"),
    *("/v1/runs/{run_id}/events/", "/v1/runs/../runs/{run_id}", "/v1/files/{run_id}", "/metrics"),
)
"""Paths that are in no document."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NUMBERS = ("0", "1", "30", "100", "1000", "-1", "x", "9" * 30)
ACCEPTS = ("*/*", "application/json", "text/event-stream")
_OF_OTHERS = {
    "run": "run_id",
    "parent": "run_id",
    "forked_from": "run_id",
    "batch": "batch_id",
    "subject": "tenant",
}
"""Query parameters that name something by another name than paths do."""


@dataclass(frozen=True)
class Operation:
    """One of the API."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    has_body: bool = False


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Those of the document; more often those that take the victim's ids, or list."""
    found = []
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            parameters = described.get("parameters", ())
            query = tuple(it["name"] for it in parameters if it["in"] == "query")
            one = Operation(method.upper(), path, query, "requestBody" in described)
            found += [one] * (6 if "{" in path or method == "get" else 1)
    return found


class Draws:
    """Requests, the same for the same seed."""

    def __init__(self, seed: int, document: Mapping[str, Any], victim: Victim) -> None:
        self._random = random.Random(seed)  # noqa: S311  not for secrets
        self._operations = operations(document)
        self._victim = victim
        self._words = sorted(victim.words)

    def tries(
        self, count: int, holding: Sequence[Credential], others: Sequence[Credential]
    ) -> Iterator[tuple[Credential, Request]]:
        """So many, half of them with credentials that hold."""
        for _ in range(count):
            credential = self._random.choice(self._random.choice([holding, others]))
            yield credential, self.request(credential)

    def request(self, credential: Credential) -> Request:
        """One request with that credential."""
        operation = self._random.choice(self._operations)
        if self._chance(0.05):
            operation = Operation(self._one(METHODS), self._one(UNDESCRIBED))
        query = [it for it in (credential.query, *self._query(operation)) if it]
        body = self._body(operation)
        headers = [("accept", self._one(ACCEPTS)), *credential.headers]
        if body and not self._chance(0.03):
            headers.append(("content-type", "application/json"))
        if operation.has_body and body == json.dumps(GOOD):  # as the victim has sent it
            headers.append(("idempotency-key", self._victim.idempotency_key))
        if self._chance(0.05):
            headers.append(("last-event-id", self._one(NUMBERS)))
        path = self._filled(operation.path)
        return Request(operation.method, path, "&".join(query), tuple(headers), body)

    def twin(self, request: Request) -> tuple[Request, dict[str, str]]:
        """The same request for what nobody has, and what stands there for each of the ids."""
        instead = {}
        for name in sorted(self._victim.names(), key=lambda it: (-len(it), it)):
            if request.has(name):
                instead[name] = self._like(name)
                request = request.replaced(name, instead[name])
        return request, instead

    def _filled(self, path: str) -> str:
        for name in self._victim.ids:
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", quote(self._id(name), safe=""))
        return path

    def _id(self, name: str) -> str:
        known = self._one(self._victim.ids[name])
        return known if self._chance(0.9) else self._one([f"{known}%", f" {known}", "..", "é", "0"])

    def _query(self, operation: Operation) -> Iterator[str]:
        for name in operation.query:
            if self._chance(0.15):
                value = quote(self._value(name), safe="")
                yield f"{name.replace('KEY', 'project')}={value}"
        if self._chance(0.03):
            yield f"tenant={self._victim.ids['tenant'][0]}"

    def _value(self, name: str) -> str:
        named = _OF_OTHERS.get(name, name)
        if named in self._victim.ids:
            return self._id(named)
        if name == "cursor":
            return self._one([*self._victim.cursors, "x"])
        if name in {"limit", "wait", "after"}:
            return self._one(NUMBERS)
        if name == "list":
            return self._one(("", "open=true", "limit=5", f"batch={self._id('batch_id')}"))
        if name in {"open", "attention", "inbox"}:
            return self._one(("true", "false"))
        return self._one(self._words)

    def _body(self, operation: Operation) -> str:
        if not operation.has_body:
            return ""
        if self._chance(0.05):
            return self._one(("{", "[]", "null", '{"by": 7}', '{"tenant": "acme"}'))
        key = f"{operation.method} {operation.path}"
        if key in BODIES:
            return json.dumps(BODIES[key])
        return json.dumps(self._one(self._bodies(operation)))

    def _bodies(self, operation: Operation) -> list[dict[str, Any]]:
        """What could get at the victim's, in routes that name it in their body."""
        run, webhook, tenant = self._id("run_id"), self._id("webhook_id"), self._id("tenant")
        told = {**GOOD, "webhook": {"id": webhook}}
        theirs = {**GOOD, "metadata": {"tenant": tenant}}
        unknown = {**GOOD, "agent": self._one(self._words)}
        key = {"name": "eve", "scopes": ["runs:read"]}
        named: dict[str, list[dict[str, Any]]] = {
            "POST /v1/runs": [told, told, theirs, theirs, unknown, GOOD],
            "POST /v1/batches": [{"runs": [told]}, {"runs": [theirs]}, {"runs": []}],
            "POST /v1/schedules": [{"every_s": 60, "run": told}, {"every_s": 60, "run": theirs}],
            "POST /v1/webhooks": [{"url": "http://127.0.0.1:9/x", "tenant": tenant}],
            "POST /v1/keys": [{**key, "tenant": tenant}, {**key, "scopes": ["tenants:admin"]}],
            "POST /v1/tokens/stream": [{"run_id": run}],
            "PUT /v1/tenants/{tenant}/quotas": [{"open_runs": 0}],
        }
        rest = [{}, {"by": tenant}, {"request_id": QUESTION, "text": "this"}]
        return named.get(f"{operation.method} {operation.path}", rest)

    def _like(self, name: str) -> str:
        """Another id of the same form."""
        kept = name.rpartition("_")[0] or name.rpartition("-")[0]
        drawn = [self._one("0123456789abcdef") for _ in name[len(kept) + bool(kept) :]]
        other = name[: len(kept) + bool(kept)] + "".join(drawn)
        return other if other != name else self._like(name)

    def _one(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def _chance(self, of: float) -> bool:
        return self._random.random() < of
