"""What requests do, as rows of the audit log."""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope as AsgiScope

from relayline.api.auth.bearer import access_of, bearer_of
from relayline.api.errors import ApiError
from relayline.contracts.access.audit import Action
from relayline.contracts.principals import Principal
from relayline.journal.access.audit import UNKNOWN_TENANT, AuditRow
from relayline.journal.access.audit_log import AuditLog
from relayline.journal.access.key_text import parse_key

DENIALS_A_MINUTE = 60
"""Rows of denials per tenant, and of those whose tenant is unknown; others are counted."""
MAX_TENANTS = 1000
TOLD = "told"
"""Where `request.state` has what a route adds to `detail`."""
_MAX_TEXT = 256
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_ANSWERED = ("command_id", "name", "tenant", "scopes", "expires_at")
"""What `detail` has of a small answer."""
_MAX_ANSWER_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Trail:
    """Makes and writes the rows of one request."""

    log: AuditLog
    principal: Principal
    address: str
    request_id: str

    def row(
        self,
        action: Action,
        target: str,
        outcome: str = "accepted",
        detail: Mapping[str, JsonValue] | None = None,
    ) -> AuditRow:
        """A row of this request."""
        who = self.principal
        return AuditRow(
            uuid4().hex,
            time.time_ns() // 1000,
            who.tenant or UNKNOWN_TENANT,
            _shown(who.subject),
            who.key_id or "",
            who.via,
            self.address,
            action.value,
            target,
            outcome,
            self.request_id,
            json.dumps(detail or {}, separators=(",", ":")),
        )


def trail_of(request: Request) -> Trail | None:
    """Who writes the rows of the request; None while authentication is off.

    Nobody is known then, and a log of everybody's word would prove nothing.
    """
    log: AuditLog | None = request.app.state.services.access.audit_log
    access = access_of(request.scope)
    if log is None or access is None:
        return None
    return Trail(log, access.principal, address_of(request.scope), request_id_of(request.scope))


async def note_done(request: Request, action: Action, response: Response) -> None:
    """Write the row of a request that was answered well."""
    trail = trail_of(request)
    if trail is None or response.status_code >= 400:
        return
    ids = [str(value) for value in request.path_params.values()]
    made = response.headers.get("location", "").rpartition("/")[2]
    target, *others = ids or [made]
    detail: dict[str, JsonValue] = {**_told(response), **getattr(request.state, TOLD, {})}
    if others:
        detail["of"] = [*others]
    if ids and made:
        detail["made"] = made
    repeated = response.status_code == 200 and made and not ids
    outcome = "repeated" if repeated else "accepted"
    await trail.log.record(trail.row(action, target, outcome, detail))


def _told(response: Response) -> dict[str, JsonValue]:
    """What the row has of the answer, which may have a secret: nothing but the listed fields."""
    body = getattr(response, "body", b"")
    if not body.startswith(b"{") or len(body) > _MAX_ANSWER_BYTES:
        return {}
    answer = json.loads(body)
    return {name: answer[name] for name in _ANSWERED if answer.get(name)}


def address_of(scope: AsgiScope) -> str:
    """The client's address, empty if it has none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def request_id_of(scope: AsgiScope) -> str:
    """The request's `X-Request-Id`, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = str(value, "latin-1")
            if _REQUEST_ID.fullmatch(text):
                return text
    return f"req_{uuid4().hex}"


class Denials:
    """Writes a sample of the denials, in the background: nobody fills the log by being refused."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def note(self, scope: AsgiScope, error: ApiError, principal: Principal | None) -> None:
        """Write the row of a request that was refused, unless there were too many.

        Args:
            scope: The request.
            error: 401 or 403.
            principal: Who asked, as far as it is known.
        """
        tenant = (principal.tenant if principal else None) or UNKNOWN_TENANT
        minute = int(time.time() // 60)
        began, count = self._counts.pop(tenant, (minute, 0))
        left_out = max(count - DENIALS_A_MINUTE, 0) if began != minute else 0
        count = count + 1 if began == minute else 1
        self._counts[tenant] = (minute, count)
        if len(self._counts) > MAX_TENANTS:
            self._counts.popitem(last=False)
        if count <= DENIALS_A_MINUTE:
            self._log.record_later(_denial(scope, error, (principal, tenant, left_out)))


def _denial(scope: AsgiScope, error: ApiError, of: tuple[Principal | None, str, int]) -> AuditRow:
    principal, tenant, left_out = of
    detail: dict[str, JsonValue] = {"method": scope.get("method", ""), "left_out": left_out}
    if "scope" in error.members:
        detail["scope"] = error.members["scope"]
    return AuditRow(
        uuid4().hex,
        time.time_ns() // 1000,
        tenant,
        _shown(principal.subject) if principal else "",
        (principal.key_id or "") if principal else _named_key(scope),
        principal.via if principal else "",
        address_of(scope),
        Action.DENIED.value,
        _shown(scope["path"]),
        error.slug,
        request_id_of(scope),
        json.dumps({name: it for name, it in detail.items() if it}, separators=(",", ":")),
    )


def _named_key(scope: AsgiScope) -> str:
    """The id of a key that does not hold, which anybody may have written."""
    parts = parse_key(bearer_of(scope))
    return parts.key_id if parts else ""


def _shown(text: str) -> str:
    """A text as anybody may have sent it, fit for a row."""
    return "".join(it if it.isprintable() else "?" for it in text[:_MAX_TEXT])


def told(request: Request, detail: Mapping[str, JsonValue]) -> None:
    """Add to the `detail` of the request's row."""
    setattr(request.state, TOLD, dict(detail))
