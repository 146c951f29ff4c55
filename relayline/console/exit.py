"""How a command ends: one line for a failure, an exit code, and a process that really ends."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from relayline.console.printable import printable


class Failure(Exception):
    """A command could not do its work; the message is one line for people."""


@contextmanager
def expecting(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors whose messages are for people into failures."""
    try:
        yield
    except kinds as error:
        raise Failure(str(error)) from error


def run_and_exit(app: Callable[[], object]) -> NoReturn:
    """Run the command line, flush its output, and exit the process with its exit code.

    Exits by `os._exit`: a Temporal client's threads may abort an ordinary interpreter exit.
    """
    streams = (sys.stdout, sys.stderr)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = _exit_code(app)
    logging.shutdown()
    for stream in streams:
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def _exit_code(app: Callable[[], object]) -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Failure as error:
        sys.stderr.write(f"relayline: {printable(str(error))}\n")
        return 1
    except Exception:
        logging.getLogger(__name__).exception("this is a bug in relayline, please report it")
        return 1
    return 0
