"""`relayline run` and `watch`: submit a run, show it as it happens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.options import RunId, Url, asked

if TYPE_CHECKING:
    from relayline.client import AsyncClient, AsyncRun
    from relayline.client.calls import RunFields
    from relayline.console.tty.dry_shown import DoDry
    from relayline.contracts.answers import Links

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

INTERRUPTED = 130
TERMINATED = 143

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one event per line as JSON, and nothing else.")
]
AsJsonRuns = Annotated[bool, typer.Option("--json", help="Print one run per line as JSON.")]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=NUMBER",
        help="A limit of the run, such as max_steps=20; may be repeated.",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="A setting of its models, such as temperature=0; may be repeated.",
        show_default=False,
    ),
]
Schema = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A JSON Schema that the answer must fit.")
]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", metavar="PATH", help="Give the model this image or file, too; may be repeated."
    ),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="Metadata of the run; may be repeated.", show_default=False
    ),
]


class RunCommands:
    """The commands; they exit with 1 and one line if the API refuses or does not answer."""

    def __init__(
        self,
        address: Callable[[str | None], str],
        dry_run: DoDry,
    ) -> None:
        """Create the commands.

        Args:
            address: Gives the API's base URL for a value of `--url`.
            dry_run: Does a run of `--dry` and tells its events; how it stands at the end.
        """
        self._address = address
        self._dry_run = dry_run

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        for command in (self.run, self.watch, self.tree, self.chat):
            app.command()(command)

    def run(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        text: Annotated[
            str,
            typer.Argument(
                metavar="INPUT", help="What the agent must do; `-` reads it from stdin."
            ),
        ],
        agent: Annotated[str, typer.Option(metavar="NAME", help="The agent to run.")] = "assistant",
        model: Annotated[
            str | None, typer.Option(metavar="MODEL", help="Overrides the agent's model.")
        ] = None,
        settings: Settings = None,
        limits: Limits = None,
        schema: Schema = None,
        metadata: Metadata = None,
        user: Annotated[
            str | None, typer.Option(metavar="NAME", help="For whom it works; told to its tools.")
        ] = None,
        retention_days: Annotated[
            float | None,
            typer.Option(metavar="DAYS", help="Erase the run so many days after its end."),
        ] = None,
        priority: Annotated[
            int | None, typer.Option(metavar="N", help="1 (first) to 5 (last); 3 by default.")
        ] = None,
        fairness_key: Annotated[
            str | None,
            typer.Option(metavar="KEY", help="Runs with this key share their part of the workers."),
        ] = None,
        start_at: Annotated[
            str | None,
            typer.Option(metavar="TIME", help="Start it then: RFC 3339, with a time zone."),
        ] = None,
        delay_s: Annotated[
            float | None, typer.Option(metavar="SECONDS", help="In place of --start-at.")
        ] = None,
        idempotency_key: Annotated[
            str | None,
            typer.Option(
                metavar="KEY", help="Repeating the request with the same key starts no second run."
            ),
        ] = None,
        file: Files = None,
        watch_it: Annotated[
            bool, typer.Option("--watch", help="Show the run as it happens.")
        ] = False,
        dry: Annotated[
            bool,
            typer.Option(
                "--dry",
                help="Run it here, without a server: RELAYLINE_CATALOG's agent, its models and its "
                "safe tools; tools with unsafe effects do nothing.",
            ),
        ] = False,
        as_json: AsJson = False,
        url: Url = None,
    ) -> None:
        """Start a run and print its id, or watch it with --watch.

        With --watch or --dry, exits with 0 if the run completed and with 1 otherwise.
        """
        from relayline.console import arguments as parse
        from relayline.console.tty.dry_shown import DryRun, show_dry

        given = parse.input_text(text)
        output_schema = parse.schema_in(schema) if schema else None
        bounds, labels = parse.limits_of(limits or ()), parse.metadata_of(metadata or ())
        how = parse.settings_of(settings or ())
        if dry:
            settled = (bounds, labels, output_schema, how)
            show_dry(self._dry_run, DryRun(agent, given, model, *settled), as_json=as_json)
            return
        base_url = self._address(url)

        async def submit(client: AsyncClient) -> AsyncRun:
            return await client.submit(
                agent,
                await parse.with_files(client, given, file),
                model=model,
                settings=how or None,
                limits=bounds or None,
                output_schema=output_schema,
                metadata=labels or None,
                user=user,
                retention_days=retention_days,
                priority=priority,
                fairness_key=fairness_key,
                start_at=start_at,
                delay_s=delay_s,
                idempotency_key=idempotency_key,
            )

        tell_accepted(base_url, asked(base_url, submit), watch_it=watch_it, as_json=as_json)

    def watch(self, run_id: RunId, as_json: AsJson = False, url: Url = None) -> None:
        """Show a run live, from its start; Ctrl-C detaches.

        Exits with 0 if the run completed and with 1 if it ended otherwise.
        """
        base_url = self._address(url)
        view = asked(base_url, lambda client: client.run(run_id).get())  # fails at once if unknown
        tell_page(base_url, None if as_json else view.links)
        follow(base_url, run_id, as_json=as_json)

    def tree(self, run_id: RunId, as_json: AsJsonRuns = False, url: Url = None) -> None:
        """Show a run and the runs below it, each below the one that has started it."""
        from relayline.console.printable import printable
        from relayline.console.tty.tree import tree_lines, tree_of

        top, runs = asked(self._address(url), lambda client: tree_of(client, run_id))
        if as_json:
            for each in (top, *runs):
                typer.echo(each.model_dump_json(exclude_none=True))
        else:
            for line in tree_lines(top, runs):
                typer.echo(printable(line))

    def chat(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        agent: Annotated[str, typer.Option(metavar="NAME", help="The agent.")] = "assistant",
        model: Annotated[
            str | None, typer.Option(metavar="MODEL", help="Overrides the agent's model.")
        ] = None,
        settings: Settings = None,
        run_id: Annotated[
            str | None,
            typer.Option("--run", metavar="RUN", help="Continue this conversation."),
        ] = None,
        close: Annotated[bool, typer.Option("--close", help="Close it at the end.")] = False,
        url: Url = None,
    ) -> None:
        """Talk to an agent: each line is a message; Ctrl-C cancels an answer, Ctrl-D ends.

        The conversation stays open, so that --run continues it, unless --close is given.
        """
        from relayline.client import Client
        from relayline.console.arguments import settings_of
        from relayline.console.options import expecting_answers
        from relayline.console.tty.chat import Chat, typed

        how: RunFields = {"model": model, "open": True}
        if settings:
            how["settings"] = settings_of(settings)
        with expecting_answers(), Client(self._address(url)) as client:
            chat = Chat(
                lambda line: client.submit_and_stream(agent, line, **how),
                None if run_id is None else client.run(run_id),
            )
            chat.hold(typed())
            if chat.run is None:
                return
            if close:
                chat.run.close()
            else:
                typer.echo(f"continue with: relayline chat --run {chat.run.id}", err=True)


def tell_accepted(base_url: str, run: AsyncRun, *, watch_it: bool, as_json: bool) -> None:
    """Print the id of a new run, or all that was answered, or show it as it happens.

    Raises:
        Exit: as `follow`.
    """
    links = run.accepted.links if run.accepted else None
    if watch_it:
        tell_page(base_url, None if as_json else links)
        follow(base_url, run.id, as_json=as_json)
    elif as_json and run.accepted:
        typer.echo(run.accepted.model_dump_json(exclude_none=True))
    else:
        typer.echo(run.id)
        typer.echo(f"watch it with: relayline watch {run.id}", err=True)
        tell_page(base_url, links)


def tell_page(base_url: str, links: Links | None) -> None:
    """Say where the run is shown in a browser, if the server has such a page."""
    if links and links.page:
        typer.echo(f"in a browser: {base_url.rstrip('/')}{links.page}", err=True)


def follow(base_url: str, run_id: str, *, as_json: bool) -> None:
    """Show the run until it has ended.

    Raises:
        Exit: it did not complete, or somebody has detached.
    """
    from relayline.console.tty.watch import watch, watch_json
    from relayline.console.tty.wheel import keyboard_for, watch_and_steer
    from relayline.contracts.runs import RunStatus

    async def show(client: AsyncClient) -> RunStatus:
        run = client.run(run_id)
        if as_json:
            return await watch_json(run, sys.stdout, sys.stderr)
        with keyboard_for(sys.stdin, sys.stdout) as keyboard:
            if keyboard is not None:
                return await watch_and_steer(run, sys.stdout, keyboard)
        return await watch(run, sys.stdout, sys.stderr)

    try:
        status = asked(base_url, show)
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        back = f"relayline watch {run_id} --url {base_url}"
        typer.echo(f"\ndetached; the run continues. Come back with: {back}", err=True)
        interrupted = isinstance(error, KeyboardInterrupt)
        raise typer.Exit(INTERRUPTED if interrupted else TERMINATED) from error
    if status is not RunStatus.COMPLETED:
        raise typer.Exit(1)
