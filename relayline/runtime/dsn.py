"""Checks the address of a Postgres journal."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

POSTGRES_PREFIX = re.compile(r"\s*postgres(ql)?:", re.IGNORECASE)
"""Such a value is never the name of a file, even if a slash is missing."""


def checked_dsn(address: str) -> str:
    """The address, if it is one.

    Raises:
        ValueError: it is none; the message does not quote it.
    """
    if error := dsn_error(address):
        raise ValueError(
            f"{error}: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, the password "
            "percent-encoded (%40 for @, %2F for /)"
        )
    return address


def dsn_error(dsn: str) -> str | None:
    """The fault of a Postgres journal's address, None if there is none; never quotes it.

    A second `@`, or one after a `/`, means that the password is not percent-encoded: a piece of it
    would be taken for the host or the database, and be shown.
    """
    try:
        parts = urlsplit(dsn)
        parts.port  # noqa: B018  raises if it is not a number
        parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        return "the address can't be read"
    if parts.scheme not in {"postgresql", "postgres"}:
        return "only Postgres, or the path of a SQLite file, can be the journal"
    in_its_place = dsn.count("@") == parts.netloc.count("@") <= 1
    if "://" not in dsn or not in_its_place:
        return "the address can't be read"
    return None if parts.path.strip("/") else "the address names no database"
