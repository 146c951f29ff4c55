"""Arguments and options that several commands take, and the way a command asks the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from relayline.console.exit import Failure

if TYPE_CHECKING:
    from relayline.client import AsyncClient

# ruff: noqa: PLC0415  what a command needs is imported by that command: `--help` is quick

DEFAULT_URL = "http://127.0.0.1:8000"
_START_ONE = "start one with `relayline dev`, or name another with --url or RELAYLINE_URL"
_T = TypeVar("_T")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="RELAYLINE_URL",
        help=f"The API. Without it, that of the running `relayline dev`, else {DEFAULT_URL}.",
        show_default=False,
    ),
]


def asked(base_url: str, ask: Callable[[AsyncClient], Coroutine[Any, Any, _T]]) -> _T:
    """What the API answers.

    Raises:
        Failure: it refuses, fails or does not answer.
    """
    from relayline.client import AsyncClient, RelaylineError, Unreachable

    async def asking() -> _T:
        async with AsyncClient(base_url) as client:
            return await ask(client)

    try:
        return asyncio.run(asking())
    except Unreachable as error:
        raise Failure(f"{error}: {_START_ONE}") from error
    except RelaylineError as error:
        raise Failure(str(error)) from error
