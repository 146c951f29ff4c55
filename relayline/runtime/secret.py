"""The deployment's secrets: from the setting, a file that it names, or one that is made here."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

from relayline.journal.access.secret_ring import SecretRing
from relayline.runtime.redaction import MIN_SECRET_BYTES
from relayline.runtime.settings import BadSettings, Settings

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
FILE = "secret"
"""In the data folder, for this user alone."""


def load_secrets(settings: Settings, *, make: bool) -> SecretRing:
    """The secrets that the settings name; an empty ring if there are none and none is needed.

    With a journal in SQLite all processes are on this host: there the data folder may have them.

    Args:
        settings: With `secret` and `secret_file`.
        make: Make that file, if there is nothing else. The first process makes it, all use it.

    Raises:
        BadSettings: a file can't be read, or has something else; the message does not quote it.
            Also if authentication is on and the processes have no secret in common.
    """
    if settings.secret:
        return SecretRing.parse(settings.secret)
    if settings.secret_file is not None:
        return _read(settings.secret_file)
    own = settings.data_dir / FILE
    if settings.journal_dsn is not None:
        if settings.auth_modes:
            raise BadSettings(
                f"RELAYLINE_AUTH is {settings.auth}: it needs RELAYLINE_SECRET (or "
                "RELAYLINE_SECRET_FILE), the same for every API process and every worker; make one "
                'with `echo "a:$(openssl rand -hex 32)"`'
            )
        return SecretRing()
    if make and not own.exists():
        _make(own)
    return _read(own) if own.exists() else SecretRing()


def secrets_in_files(settings: Settings) -> frozenset[str]:
    """The secrets that this process reads from a file, which no environment variable has.

    Also the keys of tenants with providers and the secrets of tools, as they are now; of a file
    that can't be read none, for whoever uses them says so.

    Raises:
        BadSettings: as `load_secrets`.
    """
    keys = _provider_keys(settings.tenant_keys_file) if settings.tenant_keys_file else frozenset()
    with suppress(BadSettings):
        keys |= frozenset(tool_secrets(settings).values())
    own = settings.data_dir / FILE
    if settings.secret or (settings.secret_file is None and not own.exists()):
        return keys
    return keys | _read(settings.secret_file or own).texts()


def tool_secrets(settings: Settings) -> dict[str, str]:
    """What tools may read by name: the files of the folder `tool_secrets`, as they are now.

    A line break at the end does not count. Files whose names begin with a dot, or have other
    characters than letters, digits, `_`, `-` and `.`, are left out.

    Raises:
        BadSettings: one of them can't be read; the message does not quote it.
    """
    folder = settings.tool_secrets
    if folder is None:
        return {}
    try:
        files = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file()]
        return {path.name: path.read_text().rstrip("\r\n") for path in files}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "a file is no text"
        raise BadSettings(f"RELAYLINE_TOOL_SECRETS, {folder}, can't be read: {why}") from None


def short_secrets(settings: Settings) -> list[str]:
    """What people should know of the secrets of tools: the short ones are cut out of nothing.

    Raises:
        BadSettings: as `tool_secrets`.
    """
    return [
        f"the secret {name} in RELAYLINE_TOOL_SECRETS is shorter than {MIN_SECRET_BYTES} bytes: it "
        "is not cut out of anything"
        for name, value in sorted(tool_secrets(settings).items())
        if len(value.encode()) < MIN_SECRET_BYTES
    ]


def _provider_keys(path: Path) -> frozenset[str]:
    try:
        tables = tomllib.loads(path.read_text()).values()
    except (OSError, ValueError):
        return frozenset()
    keys = (key for table in tables if isinstance(table, dict) for key in table.values())
    return frozenset(key for key in keys if isinstance(key, str))


def _read(path: Path) -> SecretRing:
    try:
        return SecretRing.parse(path.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadSettings(f"the file of RELAYLINE_SECRET, {path}, can't be read: {why}") from None
    except ValueError as error:
        raise BadSettings(f"the file of RELAYLINE_SECRET, {path}: {error}") from None


def _make(path: Path) -> None:
    """Make the file whole, or leave the one that another process has just made."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".secret-") as file:
            file.write(f"a:{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(file.name, path)
    except OSError as error:
        raise BadSettings(f"{path} can't be written: {error.strerror}") from error


def write_private(path: Path, text: str) -> None:
    """Write a line into the file, for this user alone: whole and on the disk, or not at all.

    Raises:
        OSError: it can't be written.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def ensure_secret_file(settings: Settings) -> None:
    """Make the file that the settings name, with a secret of its own, unless it is there.

    For the first start of a deployment whose processes share that file: elsewhere each host would
    make another secret.

    Raises:
        BadSettings: it can't be written.
    """
    if settings.secret_file and not settings.secret and not settings.secret_file.exists():
        _make(settings.secret_file)
