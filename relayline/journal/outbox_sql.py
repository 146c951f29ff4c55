"""The statements of the outbox: the same text for SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from relayline.contracts.keys import INHERITED_PREFIX
from relayline.contracts.webhooks import TOLD_TYPES
from relayline.journal.table import EveryTenant, Tenant

Row: TypeAlias = Sequence[Any]
Statement: TypeAlias = tuple[str, tuple[object, ...]]
TYPES = ", ".join(f"'{kind}'" for kind in TOLD_TYPES)
_RECEIVER = """
webhook_id, tenant, url, events, agents, named_only, created_us, failing_us, strikes, disabled_us,
disabled_reason
"""
_DELIVERY = """
delivery_id, webhook_id, tenant, run_id, seq, type, state, tries, failures, next_us, until_us,
created_us
"""
_HELD = "EXISTS (SELECT 1 FROM {s}webhooks WHERE webhook_id = ? AND owner = ?)"

ADD = """
INSERT INTO {s}webhooks (webhook_id, tenant, url, events, agents, named_only, secret_id,
    created_us, named_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (webhook_id) DO NOTHING
"""
KEEP_KEY = """
INSERT INTO {s}webhook_secrets (secret_id, secret) VALUES (?, ?) ON CONFLICT (secret_id) DO NOTHING
"""
COUNT = "SELECT count(*) FROM {s}webhooks WHERE tenant = ? AND named_only = 0"
REMOVE_KEY = """
DELETE FROM {s}webhook_secrets WHERE EXISTS (
    SELECT 1 FROM {s}webhooks WHERE webhook_id = ? AND {where}
) AND secret_id = ?
"""
REMOVE_NAMES = """
DELETE FROM {s}webhook_runs WHERE EXISTS (
    SELECT 1 FROM {s}webhooks WHERE webhook_id = ? AND {where}
) AND webhook_id = ?
"""
REMOVE_DELIVERIES = "DELETE FROM {s}deliveries WHERE webhook_id = ? AND {where}"
REMOVE = "DELETE FROM {s}webhooks WHERE webhook_id = ? AND {where} RETURNING webhook_id"
SECRETS = "SELECT secret, old_secret, old_until_us FROM {s}webhook_secrets WHERE secret_id = ?"
SECRETS_OF = """
SELECT secret, old_secret, old_until_us FROM {s}webhook_secrets
WHERE secret_id = (SELECT secret_id FROM {s}webhooks WHERE webhook_id = ?)
"""
ROTATE = """
INSERT INTO {s}webhook_secrets AS kept (secret_id, secret, old_until_us) VALUES (?, ?, ?)
ON CONFLICT (secret_id) DO UPDATE SET old_secret = kept.secret, secret = excluded.secret,
    old_until_us = excluded.old_until_us WHERE kept.secret <> excluded.secret
"""
"""A repetition, whose commit was not confirmed, keeps the secret before it."""
DISABLE = """
UPDATE {s}webhooks SET disabled_us = ?, disabled_reason = ?, owner = NULL, lease_us = 0
WHERE webhook_id = ? AND disabled_us IS NULL RETURNING webhook_id
"""
HOLD = """
UPDATE {s}deliveries SET state = 'disabled', next_us = NULL
WHERE webhook_id = ? AND state = 'pending'
"""
ENABLE = """
UPDATE {s}webhooks SET disabled_us = NULL, disabled_reason = NULL, failing_us = NULL, strikes = 0,
    resume_us = 0 WHERE webhook_id = ? AND {where}
"""
_IS_ENABLED = """
EXISTS (SELECT 1 FROM {s}webhooks w WHERE w.webhook_id = d.webhook_id AND w.disabled_us IS NULL)
"""
UNHOLD = f"""
UPDATE {{s}}deliveries AS d SET state = 'pending', failures = 0, until_us = NULL
WHERE webhook_id = ? AND {{where}} AND state = 'disabled' AND {_IS_ENABLED}
"""  # noqa: S608  constants only
UNHOLD_FIRST = """
UPDATE {s}deliveries AS d SET next_us = ?
WHERE webhook_id = ? AND {where} AND state = 'pending' AND next_us IS NULL AND NOT EXISTS (
    SELECT 1 FROM {s}deliveries e WHERE e.webhook_id = d.webhook_id AND e.run_id = d.run_id
    AND e.state = 'pending' AND e.seq < d.seq
)
"""
NOTES = f"""
SELECT u.run_id, u.seq, CASE WHEN e.key NOT LIKE '{INHERITED_PREFIX}%' THEN e.type END, e.at_us,
    coalesce(q.type, b.type), coalesce(q.key, b.key), coalesce(q.data, b.data)
FROM {{s}}untold u
LEFT JOIN {{s}}events e ON e.run_id = u.run_id AND e.seq = u.seq
LEFT JOIN {{s}}events q ON q.run_id = u.run_id AND q.key = 'run/queued'
LEFT JOIN {{s}}events b ON b.run_id = u.run_id AND b.key = '0/run/started'
WHERE (u.run_id, u.seq) > (?, ?) ORDER BY u.run_id, u.seq LIMIT ?
"""  # noqa: S608  constants only
"""Nobody is told of a past that a run began with: such a fact has no type here."""
OF_TENANT = f"SELECT {_RECEIVER} FROM {{s}}webhooks WHERE tenant = ? AND named_only = 0"  # noqa: S608
NAMED = f"SELECT {_RECEIVER} FROM {{s}}webhooks WHERE webhook_id = ?"  # noqa: S608
LOCK = "UPDATE {s}webhooks SET webhook_id = webhook_id WHERE webhook_id = ?"
"""On Postgres, planning and recording for one receiver happen one after the other."""
PLAN = """
INSERT INTO {s}deliveries (delivery_id, webhook_id, tenant, run_id, seq, type, state, tries,
    failures, next_us, created_us)
SELECT CAST(? AS TEXT), w.webhook_id, w.tenant, u.run_id, u.seq, CAST(? AS TEXT),
    CASE WHEN w.disabled_us IS NULL THEN 'pending' ELSE 'disabled' END, '[]', 0,
    CASE WHEN w.disabled_us IS NULL AND NOT EXISTS (
        SELECT 1 FROM {s}deliveries e
        WHERE e.webhook_id = w.webhook_id AND e.run_id = u.run_id AND e.state = 'pending'
    ) THEN CAST(? AS BIGINT) END, CAST(? AS BIGINT)
FROM {s}untold u CROSS JOIN {s}webhooks w
WHERE w.webhook_id = ? AND u.run_id = ? AND u.seq = ? ON CONFLICT (delivery_id) DO NOTHING
"""
DROP_NOTE = "DELETE FROM {s}untold WHERE run_id = ? AND seq = ?"
DUE = """
SELECT w.webhook_id FROM (
    WITH RECURSIVE waiting (webhook_id) AS (
        SELECT min(webhook_id) FROM {s}deliveries WHERE state = 'pending'
        UNION ALL SELECT (
            SELECT min(d.webhook_id) FROM {s}deliveries d
            WHERE d.state = 'pending' AND d.webhook_id > waiting.webhook_id
        ) FROM waiting WHERE waiting.webhook_id IS NOT NULL
    ) SELECT webhook_id FROM waiting
) waiting CROSS JOIN {s}webhooks w
WHERE w.webhook_id = waiting.webhook_id
AND w.disabled_us IS NULL AND w.lease_us <= ? AND w.resume_us <= ? AND EXISTS (
    SELECT 1 FROM {s}deliveries d
    WHERE d.webhook_id = w.webhook_id AND d.state = 'pending' AND d.next_us <= ?
) ORDER BY w.webhook_id LIMIT ?
"""
"""From those that wait for something, found by an index: most receivers wait for nothing."""
CLAIM = f"""
UPDATE {{s}}webhooks SET owner = ?, lease_us = ?
WHERE webhook_id = ? AND disabled_us IS NULL RETURNING {_RECEIVER}
"""  # noqa: S608  constants only
CLAIMED = f"""
SELECT {_DELIVERY} FROM {{s}}deliveries d
WHERE d.webhook_id = ? AND d.state = 'pending' AND EXISTS (
    SELECT 1 FROM {{s}}webhooks w
    WHERE w.webhook_id = d.webhook_id AND w.owner = ? AND w.resume_us <= ?
) AND d.next_us <= ? ORDER BY d.next_us, d.run_id, d.seq LIMIT ?
"""  # noqa: S608  constants only
HEALTHY = """
UPDATE {s}webhooks SET lease_us = ?, strikes = 0, failing_us = NULL, resume_us = 0
WHERE webhook_id = ? AND owner = ? RETURNING webhook_id
"""
STRUCK = """
UPDATE {s}webhooks SET lease_us = ?, strikes = strikes + 1, failing_us = coalesce(failing_us, ?),
    resume_us = ? WHERE webhook_id = ? AND owner = ? RETURNING webhook_id
"""
RECORD = f"""
UPDATE {{s}}deliveries SET state = ?, tries = ?, failures = ?, next_us = ?, until_us = ?
WHERE delivery_id = ? AND {_HELD}
"""  # noqa: S608  constants only
NEXT = f"""
UPDATE {{s}}deliveries SET next_us = ? WHERE next_us IS NULL AND delivery_id = (
    SELECT delivery_id FROM {{s}}deliveries
    WHERE webhook_id = ? AND run_id = ? AND state = 'pending' ORDER BY seq LIMIT 1
) AND {_HELD}
"""  # noqa: S608  constants only
RELEASE = "UPDATE {s}webhooks SET lease_us = 0 WHERE webhook_id = ? AND owner = ?"
NEXT_DUE = """
SELECT min(d.next_us), max(w.resume_us) FROM {s}webhooks w
JOIN {s}deliveries d ON d.webhook_id = w.webhook_id
WHERE w.webhook_id = ? AND w.disabled_us IS NULL AND d.state = 'pending' AND d.next_us IS NOT NULL
"""
REDELIVER = """
UPDATE {s}deliveries SET state = 'pending', next_us = ?, failures = 0, until_us = NULL
WHERE delivery_id = ? AND {where}
"""
BACKLOG = "SELECT count(*), min(created_us) FROM {s}deliveries WHERE state = 'pending'"
UNTOLD = "SELECT count(*) FROM {s}untold"
HEALTH = """
SELECT count(*), count(CASE WHEN disabled_us IS NULL THEN failing_us END), count(disabled_us)
FROM {s}webhooks
"""
ERASE = "DELETE FROM {s}deliveries WHERE run_id = ? AND {where}"
ERASE_NOTES = """
DELETE FROM {s}untold WHERE run_id = ? AND EXISTS (
    SELECT 1 FROM {s}run_rows WHERE run_id = ? AND {where}
)
"""


def of_tenant(tenant: Tenant) -> tuple[str, tuple[object, ...]]:
    """The condition for a tenant's rows, with its arguments."""
    return ("1 = 1", ()) if isinstance(tenant, EveryTenant) else ("tenant = ?", (tenant,))


def after(place: tuple[int, str] | None, name: str) -> tuple[str, tuple[object, ...]]:
    """The condition of a list that continues, newest first, with its arguments."""
    return (f"(created_us, {name}) < (?, ?)", place) if place else ("1 = 1", ())


def receivers(where: str) -> str:
    """The query of receivers, newest first; its last argument is the most that it gives."""
    return (
        f"SELECT {_RECEIVER} FROM {{s}}webhooks WHERE {where} "  # noqa: S608  constants only
        "ORDER BY created_us DESC, webhook_id DESC LIMIT ?"
    )


def deliveries(where: str) -> str:
    """The query of deliveries, newest first; its last argument is the most that it gives."""
    return (
        f"SELECT {_DELIVERY} FROM {{s}}deliveries WHERE {where} "  # noqa: S608  constants only
        "ORDER BY created_us DESC, delivery_id DESC LIMIT ?"
    )
