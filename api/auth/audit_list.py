"""The audit log as its readers see it."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import NamedTuple

from relayline.api.auth.port import Forbidden
from relayline.contracts.access.audit import AuditPage, AuditView
from relayline.contracts.envelope import microseconds, moment
from relayline.contracts.principals import Principal, Scope, with_every_tenant
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.journal.access.audit import Audit, AuditFilter, AuditRow, SealedRow


class AuditQuery(NamedTuple):
    """Which rows are asked for."""

    tenant: str | None
    action: str | None
    subject: str | None
    run_id: str | None
    from_: datetime | None
    to: datetime | None

    def selects(self) -> AuditFilter:
        """The filter that it means."""
        begins, ends = (microseconds(it) if it else None for it in (self.from_, self.to))
        return AuditFilter(self.action, self.subject, self.run_id, begins, ends)


class AuditList:
    """Shows the rows of one tenant, oldest first, as soon as they are sealed."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def page(self, asker: Principal, query: AuditQuery, after: int, limit: int) -> AuditPage:
        """At most `limit` rows after that one.

        Raises:
            Forbidden: they are another tenant's.
        """
        own = asker.tenant or DEFAULT_TENANT
        tenant = query.tenant or own
        if tenant != own and not with_every_tenant(asker):
            raise Forbidden.lacks(Scope.TENANTS_ADMIN)
        found = await self._audit.sealed(tenant, after, limit, query.selects())
        return AuditPage(items=tuple(map(_view, found)), next=found[-1].seq if found else after)


def print_row(row: AuditRow) -> None:
    """Print the row on stdout, as one line of JSON."""
    at, detail = moment(row.at_us).isoformat(), json.loads(row.detail)
    fields = {**row._asdict(), "at": at, "detail": detail}
    del fields["at_us"]
    sys.stdout.write(json.dumps({"audit": fields}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _view(sealed: SealedRow) -> AuditView:
    fields = sealed.row._asdict()
    at, detail = moment(fields.pop("at_us")), json.loads(fields.pop("detail"))
    return AuditView(seq=sealed.seq, hash=sealed.hash, at=at, detail=detail, **fields)
