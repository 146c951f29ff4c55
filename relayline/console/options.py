"""Arguments and options that several commands take, and how a command asks the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from relayline.console.exit import expecting

if TYPE_CHECKING:
    from relayline.client.client import ApiClient

# ruff: noqa: PLC0415  what a command needs is imported by that command: `--help` is quick

DEFAULT_URL = "http://127.0.0.1:8000"
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


def asked(base_url: str, ask: Callable[[ApiClient], Coroutine[None, None, _T]]) -> _T:
    """What the API answers.

    Raises:
        Failure: it refuses, fails or does not answer.
    """
    from relayline.client.client import ApiClient
    from relayline.client.errors import ApiError

    async def asking() -> _T:
        async with ApiClient(base_url) as client:
            return await ask(client)

    with expecting(ApiError):
        return asyncio.run(asking())
