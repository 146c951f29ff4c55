"""What all processes share: settings, logs, exit code, and the journal that they open."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import NoReturn

import uvloop

from relayline.journal.beats import Beats
from relayline.journal.sqlite.beats import SqliteBeats
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Storage
from relayline.runtime.hiding import hide_memory
from relayline.runtime.liveness import Wedged
from relayline.runtime.log_lines import LogLine
from relayline.runtime.payloads.ring import BadKeys, KeyRing, ListedKeys
from relayline.runtime.redaction import Redactor, own_secrets
from relayline.runtime.secret import secrets_in_files
from relayline.runtime.settings import BadSettings, Settings, load_settings

_log = logging.getLogger(__name__)
_URL_LOGGERS = ("httpx", "httpx2")
"""Loggers that log the URL of every request, with passwords and tokens in it."""
_NEW_OBJECTS = 10_000
"""Between two collections of garbage. With Python's 700 a process that streams spends a tenth of
its time on them; what has no cycles, as nearly everything here, is freed without them."""


def build_journal(settings: Settings, ring: KeyRing | None = None) -> Storage:
    """The journal that the settings name; it opens nothing before its first use.

    Args:
        settings: Of the process.
        ring: Wraps the keys of tenants; None: the keys in the settings.

    Raises:
        BadSettings: the keys can't be read or used.
    """
    ring = ring or build_keyring(settings)
    if settings.journal_dsn is None:
        return SqliteJournal(settings.journal_path, ring)
    from relayline.journal.postgres.journal import PostgresJournal  # noqa: PLC0415  only Postgres needs the driver

    relaxed = settings.relaxed_deltas
    return PostgresJournal(settings.journal_dsn, relaxed_deltas=relaxed, ring=ring)


def build_beats(settings: Settings) -> Beats:
    """The beats beside that journal; opens nothing before its first use."""
    if settings.journal_dsn is None:
        return SqliteBeats(settings.journal_path)
    from relayline.journal.postgres.beats import PostgresBeats  # noqa: PLC0415  as above

    return PostgresBeats(settings.journal_dsn)


def build_keyring(settings: Settings) -> ListedKeys:
    """The keys of what Temporal stores.

    Raises:
        BadSettings: they can't be read or used.
    """
    try:
        return settings.keyring()
    except BadKeys as error:
        raise BadSettings(str(error)) from None


@asynccontextmanager
async def opened_journal(settings: Settings, ring: KeyRing | None = None) -> AsyncIterator[Storage]:
    """The journal, checked to take writes; closed at the end.

    Args:
        settings: As for `build_journal`.
        ring: As for `build_journal`.

    Raises:
        BadSettings: the keys can't be read or used.
        JournalUnavailable: it does not take writes; the message says what to do.
    """
    journal = build_journal(settings, ring)
    try:
        await journal.check()
        yield journal
    finally:
        await journal.close()


def run_process(
    name: str,
    serve: Callable[[Settings], Coroutine[None, None, None]],
    *expected: type[Exception],
) -> NoReturn:
    """Run `serve` with the settings of the environment, then exit the process with 0.

    A bad setting or an `expected` error is printed on stderr as one line, with exit code 1; any
    other is logged. Exits by `os._exit`: the Temporal client's threads may abort an ordinary
    interpreter exit, and a thread that never ends would hold it up. A process that is `Wedged` ends
    by SIGTERM: to its supervisor it is one that was killed, not one that can't start.
    """
    foreseen: tuple[type[Exception], ...] = (BadSettings, *expected)
    lines = _log_to_stderr()
    code = 0
    try:
        settings = load_settings()
        lines.clean = redactor_of(settings).clean
        if settings.allow_commands:
            hide_memory()
        gc.freeze()  # what was imported stays: no collection need look at it
        gc.set_threshold(_NEW_OBJECTS)
        uvloop.run(serve(settings))
    except foreseen as error:
        sys.stderr.write(f"relayline {name}: {' '.join(str(error).split())}\n")
        code = 1
    except Wedged:
        _flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)  # without effect in process 1 of a container
        code = 1
    except SystemExit as error:  # it has said why
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  the process must not stay half alive
        _log.critical("relayline %s failed", name, exc_info=True)
        code = 1
    _flush()
    os._exit(code)


def _flush() -> None:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()


def redactor_of(settings: Settings) -> Redactor:
    """Cuts the secrets of this process out.

    Raises:
        BadSettings: its keys or its secret can't be read or used.
    """
    found = own_secrets(os.environ, settings.redacted_names, settings.journal)
    in_files = secrets_in_files(settings)
    return Redactor(found | in_files | {*build_keyring(settings).encoded()})


def _log_to_stderr() -> LogLine:
    """Log from INFO up, one line per record; returns the format."""
    handler = logging.StreamHandler()
    lines = LogLine()
    handler.setFormatter(lines)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for logger in _URL_LOGGERS:
        logging.getLogger(logger).setLevel(logging.WARNING)
    return lines
