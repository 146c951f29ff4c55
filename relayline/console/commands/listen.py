"""`relayline listen`: a receiver of webhooks in the terminal, for trying them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Annotated

import typer

from relayline.console.exit import Failure
from relayline.console.options import Events, Url, asked

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick


class ListenCommand:
    """The command; it exits with 1 and one line if the API refuses or does not answer."""

    def __init__(self, address: Callable[[str | None], str]) -> None:
        """Create the command.

        Args:
            address: Gives the API's base URL for a value of `--url`.
        """
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add it to a command line."""
        app.command()(self.listen)

    def listen(
        self,
        port: Annotated[
            int, typer.Option(min=0, max=65535, help="Port on this host; 0 takes a free one.")
        ] = 0,
        events: Events = None,
        secret: Annotated[
            str | None,
            typer.Option(
                envvar="RELAYLINE_LISTEN_SECRET",
                metavar="whsec_…",
                help="Register nothing: verify with this secret.",
                show_default=False,
            ),
        ] = None,
        url: Url = None,
    ) -> None:
        """Receive webhooks on this host, verify and print them, until Ctrl-C.

        Registers itself with the API and removes itself at the end; `relayline dev` can reach it.
        """
        from relayline.console.listener import Listener

        try:
            listener = Listener(port, typer.echo)
        except OSError as error:
            raise Failure(f"port {port} can't be listened on: {error.strerror}") from error
        with listener:
            base_url = self._address(url)
            webhook_id = None
            listener.secret = secret or ""
            if not secret:
                created = asked(base_url, lambda it: it.webhooks.add(listener.url, events=events))
                listener.secret, webhook_id = created.secret, created.webhook_id
            typer.echo(f"listening on {listener.url} as {webhook_id or 'given'}", err=True)
            _serve(listener.serve_forever, listener.shutdown)
            if webhook_id is not None:
                asked(base_url, lambda it: it.webhooks.remove(webhook_id))


def _serve(serve: Callable[[], None], stop: Callable[[], None]) -> None:
    """Serve in a thread until SIGINT or SIGTERM."""
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    threading.Thread(target=serve, daemon=True).start()
    done.wait()
    stop()
