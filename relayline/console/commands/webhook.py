"""`relayline webhook …`: receivers of webhooks, and what they were told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.options import Events, Url, asked
from relayline.console.printable import printable

if TYPE_CHECKING:
    from relayline.contracts.webhooks import DeliveryView, WebhookView

Webhook = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id.")]
Agents = Annotated[
    list[str] | None,
    typer.Option(
        "--agent",
        metavar="NAME",
        help="Tell of the runs of this agent only; may be repeated.",
        show_default=False,
    ),
]
_NEWEST = 100


class WebhookCommands:
    """The commands; they exit with 1 and one line if the API refuses or does not answer."""

    def __init__(self, address: Callable[[str | None], str]) -> None:
        """Create the commands.

        Args:
            address: Gives the API's base URL for a value of `--url`.
        """
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(no_args_is_help=True, help="Have a server told what happens to runs.")
        for command in (
            self.create,
            self.list,
            self.test,
            self.deliveries,
            self.redeliver,
            self.rotate,
            self.enable,
            self.delete,
        ):
            group.command()(command)
        app.add_typer(group, name="webhook")

    def create(
        self,
        receiver: Annotated[
            str, typer.Argument(metavar="RECEIVER", help="URL of the server; https.")
        ],
        events: Events = None,
        agents: Agents = None,
        tenant: Annotated[
            str | None, typer.Option(metavar="NAME", help="Tell of this tenant's runs.")
        ] = None,
        url: Url = None,
    ) -> None:
        """Register a receiver; prints its id and the secret that its deliveries are signed with."""
        made = asked(
            self._address(url),
            lambda it: it.webhooks.add(receiver, events=events, agents=agents, tenant=tenant),
        )
        typer.echo(made.webhook_id)
        _show_secret(made.secret)

    def list(self, url: Url = None) -> None:
        """List the newest 100 receivers with their state."""
        page = asked(self._address(url), lambda it: it.webhooks.list(limit=_NEWEST))
        for webhook in page.webhooks:
            typer.echo(_line(webhook))

    def test(self, webhook: Webhook, url: Url = None) -> None:
        """Send a `webhook.test` now and say what the receiver answered; exit 1 if it is not 2xx."""
        told = asked(self._address(url), lambda it: it.webhooks.test(webhook))
        said = f"it answered {told.status}" if told.error is None else told.error
        typer.echo(f"{'taken' if told.delivered else 'not taken'}: {said} ({told.took_ms} ms)")
        if not told.delivered:
            raise typer.Exit(1)

    def deliveries(
        self,
        webhook: Webhook,
        run_id: Annotated[
            str | None, typer.Option("--run", metavar="RUN", help="Those of this run only.")
        ] = None,
        state: Annotated[
            str | None, typer.Option(help="pending, delivered, failed or disabled.")
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=_NEWEST, help="At most so many.")] = 20,
        url: Url = None,
    ) -> None:
        """List what a receiver was told, and will be, newest first."""
        page = asked(
            self._address(url),
            lambda it: it.webhooks.deliveries(webhook, run_id=run_id, state=state, limit=limit),
        )
        for delivery in page.deliveries:
            typer.echo(_told(delivery))

    def redeliver(
        self,
        delivery: Annotated[
            str, typer.Argument(metavar="DELIVERY", help="From `relayline webhook deliveries`.")
        ],
        url: Url = None,
    ) -> None:
        """Try one delivery again, now, whatever its state."""
        typer.echo(_told(asked(self._address(url), lambda it: it.webhooks.redeliver(delivery))))

    def rotate(
        self,
        webhook: Annotated[
            str,
            typer.Argument(
                metavar="ID",
                help="The webhook's id. Without it: the secret for receivers that runs name by "
                "URL.",
                show_default=False,
            ),
        ] = "default",
        url: Url = None,
    ) -> None:
        """Give a receiver a new secret and print it; the old one signs, too, for 24 hours."""
        rotated = asked(self._address(url), lambda it: it.webhooks.rotate(webhook))
        _show_secret(rotated.secret)
        if until := rotated.old_secret_until:
            typer.echo(f"until {_time(until)} the old secret signs, too", err=True)

    def enable(self, webhook: Webhook, url: Url = None) -> None:
        """Tell a disabled receiver again, beginning with what has waited."""
        typer.echo(_line(asked(self._address(url), lambda it: it.webhooks.enable(webhook))))

    def delete(self, webhook: Webhook, url: Url = None) -> None:
        """Remove a receiver with its deliveries; it is told nothing more."""
        asked(self._address(url), lambda it: it.webhooks.remove(webhook))


def _show_secret(secret: str) -> None:
    typer.echo(secret)
    typer.echo("keep the secret: it is not shown again", err=True)


def _line(webhook: WebhookView) -> str:
    """`wh_…  https://example.com/hook  run.failed  all agents  told`."""
    it = webhook
    if it.disabled_at is not None:
        state = f"disabled since {_time(it.disabled_at)}: {it.disabled_reason}"
    elif it.failing_since is not None:
        state = f"failing since {_time(it.failing_since)}"
    else:
        state = "told"
    events = "all events" if it.events is None else ",".join(it.events)
    agents = "all agents" if it.agents is None else ",".join(it.agents)
    whose = "runs that name it" if it.named_only else agents
    return printable(f"{it.webhook_id}  {it.url}  {events}  {whose}  {state}")


def _told(delivery: DeliveryView) -> str:
    """`dlv_…  run_…  run.failed  pending  3 tries, it answered 500  next …`."""
    it = delivery
    tries = f"{len(it.tries)} {'try' if len(it.tries) == 1 else 'tries'}"
    error = it.tries[-1].error if it.tries else None
    said = f"{tries}, {error}" if error else tries
    following = f"  next {_time(it.next_at)}" if it.next_at else ""
    return printable(
        f"{it.delivery_id}  {it.run_id}  {it.type}  {it.state.value}  {said}{following}"
    )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
