"""What every process has: its settings, its logs, its exit, and the journal that it opens."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import NoReturn

import uvloop

from relayline.journal.port import Journal
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.log_lines import LogLine
from relayline.runtime.settings import BadSettings, Settings, load_settings

_TELL_URLS = ("httpx", "httpx2")
"""Loggers that tell the whole URL of every request, with the passwords and tokens in it."""


def build_journal(settings: Settings) -> Journal:
    """The journal that the settings name; nothing is touched or reached before it is used."""
    if settings.journal_dsn is None:
        return SqliteJournal(settings.journal_path)
    from relayline.journal.postgres.journal import PostgresJournal  # noqa: PLC0415  its driver is loaded if needed

    return PostgresJournal(settings.journal_dsn, relaxed_deltas=settings.relaxed_deltas)


@asynccontextmanager
async def opened_journal(settings: Settings) -> AsyncIterator[Journal]:
    """The journal, known to take writes; closed at the end.

    Raises:
        JournalUnavailable: it takes none; the message says what to do.
    """
    journal = build_journal(settings)
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
    """Be a process: serve with the settings of the environment, then exit 0.

    A bad setting or an `expected` error is said in one line on stderr, exit 1. Ends with
    `os._exit`: the Temporal client's threads may abort an ordinary interpreter exit.
    """
    foreseen: tuple[type[Exception], ...] = (BadSettings, *expected)
    _log_to_stderr()
    code = 0
    try:
        uvloop.run(serve(load_settings()))
    except foreseen as error:
        sys.stderr.write(f"relayline {name}: {error}\n")
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _log_to_stderr() -> None:
    """From INFO on, a line for each record."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for logger in _TELL_URLS:
        logging.getLogger(logger).setLevel(logging.WARNING)
