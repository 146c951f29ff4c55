"""Arguments and options that several commands take, and the way a command asks the API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from relayline.console.exit import Failure

if TYPE_CHECKING:
    from relayline.client import AsyncClient

# ruff: noqa: PLC0415  what a command needs is imported by that command: `--help` is quick

DEFAULT_URL = "http://127.0.0.1:8000"
_START_ONE = "start one with `relayline dev`, or name another with --url or RELAYLINE_URL"
_GIVE_KEY = "set RELAYLINE_API_KEY, or name a file with the key with --api-key-file"
_NO_KEY = 401
_T = TypeVar("_T")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        metavar="TYPE",
        help="Tell of this type of events only; may be repeated.",
        show_default=False,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="RELAYLINE_URL",
        help=f"The API. Without it, that of the running `relayline dev`, else {DEFAULT_URL}.",
        show_default=False,
    ),
]

ApiKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file",
        envvar="RELAYLINE_API_KEY_FILE",
        metavar="FILE",
        help="File with the API key, in place of RELAYLINE_API_KEY.",
        show_default=False,
    ),
]


def use_key_file(path: Path) -> None:
    """Send the key in this file with each request.

    Raises:
        Failure: it can't be read.
    """
    try:
        os.environ["RELAYLINE_API_KEY"] = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Failure(f"the API key's file {path} can't be read: {why}") from error


def asked(base_url: str, ask: Callable[[AsyncClient], Coroutine[Any, Any, _T]]) -> _T:
    """What the API answers.

    Raises:
        Failure: it refuses, fails or does not answer.
    """
    from relayline.client import AsyncClient

    async def asking() -> _T:
        async with AsyncClient(base_url) as client:
            return await ask(client)

    with expecting_answers():
        return asyncio.run(asking())


@contextmanager
def expecting_answers() -> Iterator[None]:
    """Turn errors of the client library into failures.

    Raises:
        Failure: the API refuses, fails or does not answer.
    """
    from relayline.client import Denied, RelaylineError, Unreachable

    try:
        yield
    except Unreachable as error:
        raise Failure(f"{error}: {_START_ONE}") from error
    except Denied as error:
        raise Failure(f"{error}: {_GIVE_KEY}" if error.status == _NO_KEY else str(error)) from error
    except RelaylineError as error:
        raise Failure(str(error)) from error
