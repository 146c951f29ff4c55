"""Keys that tenants have of their own with providers: a port, and a file that has them."""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from relayline.catalog.models import PROVIDERS
from relayline.contracts.principals import TENANT_PATTERN

_KEY = re.compile(r"[\x21-\x7e]{1,1000}")
_log = logging.getLogger(__name__)


class BadTenantKeys(Exception):
    """The keys can't be read or used; the message has none of them."""


class TenantKeys(Protocol):
    """Where the keys are; a key never leaves the worker but to its provider."""

    def find(self, tenant: str, provider: str) -> str:
        """The tenant's own key; empty if it has none there."""
        ...

    def knows(self, provider: str) -> bool:
        """True if any tenant has a key there."""
        ...


class NoKeys:
    """`TenantKeys` of a deployment that pays for all of its tenants."""

    def find(self, tenant: str, provider: str) -> str:  # noqa: ARG002
        """None has one."""
        return ""

    def knows(self, provider: str) -> bool:  # noqa: ARG002
        """None has one."""
        return False


class KeyFile:
    """`TenantKeys` in a TOML file: a table for each tenant, with a key for each provider.

    A changed file counts from the next call on. One that can't be read any more, or used, changes
    nothing: the last good one counts, and the log says so.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            BadTenantKeys: it can't be read or used.
        """
        self._path = path
        self._stamp = _stamp(path)
        self._keys = _read(path)

    def find(self, tenant: str, provider: str) -> str:
        """As in the port."""
        return self._newest().get(tenant, {}).get(provider, "")

    def knows(self, provider: str) -> bool:
        """As in the port."""
        return any(provider in keys for keys in self._newest().values())

    def _newest(self) -> Mapping[str, Mapping[str, str]]:
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._keys = _read(self._path)
        except BadTenantKeys as error:
            _log.warning("the last good keys of tenants are used", extra={"reason": str(error)})
        return self._keys


def open_keys(path: Path | None) -> TenantKeys:
    """The keys in that file; none without one.

    Raises:
        BadTenantKeys: it can't be read or used.
    """
    return KeyFile(path) if path else NoKeys()


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes with the file."""
    try:
        found = path.stat()
    except OSError as error:
        raise BadTenantKeys(f"{path} can't be read: {error.strerror}") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> Mapping[str, Mapping[str, str]]:
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise BadTenantKeys(f"{path} can't be read: {error.strerror}") from error
    except ValueError:  # it may quote a key
        raise BadTenantKeys(f"{path} is no TOML") from None
    for tenant, keys in found.items():
        if reason := _fault(tenant, keys):
            raise BadTenantKeys(f"{path}: {reason}")
    return found


def _fault(tenant: str, keys: object) -> str | None:
    """What is wrong with a tenant's table; None if nothing is."""
    if not re.fullmatch(TENANT_PATTERN, tenant):
        return f"{tenant[:100]!r} can't be the name of a tenant"
    if not isinstance(keys, dict):
        return f"{tenant} is no table of keys"
    for provider, key in keys.items():
        if provider not in PROVIDERS:
            return f"{tenant}.{provider[:100]}: there are {', '.join(PROVIDERS)}"
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            return f"{tenant}.{provider} is no key"
    return None
