"""`relayline schedule …`: runs that are submitted again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.options import Url, asked

if TYPE_CHECKING:
    from pydantic import JsonValue

    from relayline.contracts.submissions.schedules import ScheduleListItem, ScheduleView

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

Schedule = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id.")]


class ScheduleCommands:
    """The commands; they exit with 1 and one line if the API refuses or does not answer."""

    def __init__(self, address: Callable[[str | None], str]) -> None:
        """Create the commands.

        Args:
            address: Gives the API's base URL for a value of `--url`.
        """
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(no_args_is_help=True, help="Submit a run again and again.")
        for command in (
            self.create,
            self.list,
            self.show,
            self.pause,
            self.resume,
            self.trigger,
            self.delete,
        ):
            group.command()(command)
        app.add_typer(group, name="schedule")

    def create(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        schedule: Schedule,
        text: Annotated[str, typer.Argument(metavar="INPUT", help="What the agent must do.")],
        cron: Annotated[
            str | None, typer.Option(help="Minute, hour, day of the month, month, weekday.")
        ] = None,
        every_s: Annotated[
            int | None, typer.Option(metavar="SECONDS", help="In place of --cron.")
        ] = None,
        timezone: Annotated[str, typer.Option(metavar="NAME", help="Of --cron.")] = "UTC",
        overlap: Annotated[
            str, typer.Option(help="While the run before has not ended: skip, queue or all.")
        ] = "skip",
        agent: Annotated[str, typer.Option(metavar="NAME", help="The agent to run.")] = "assistant",
        url: Url = None,
    ) -> None:
        """Create a schedule."""
        from relayline.client.queue import ScheduleFields
        from relayline.contracts.submissions.schedules import Overlap

        policies: dict[str, Overlap] = {"skip": "skip", "queue": "queue", "all": "all"}
        if overlap not in policies:
            raise typer.BadParameter(f"--overlap: one of {', '.join(policies)}")
        run: dict[str, JsonValue] = {"agent": agent, "input": text}
        when = ScheduleFields(
            schedule_id=schedule,
            cron=cron,
            every_s=every_s,
            timezone=timezone,
            overlap=policies[overlap],
        )
        base_url = self._address(url)
        _show(asked(base_url, lambda client: client.create_schedule(run, **when)))

    def list(self, url: Url = None) -> None:
        """List the newest 100 schedules."""
        page = asked(self._address(url), lambda client: client.schedules(limit=100))
        for schedule in page.schedules:
            typer.echo(_line(schedule))

    def show(self, schedule: Schedule, url: Url = None) -> None:
        """Show a schedule, its next times and its newest runs."""
        _show(asked(self._address(url), lambda client: client.schedule(schedule)))

    def pause(self, schedule: Schedule, url: Url = None) -> None:
        """Pause a schedule; times meanwhile are skipped."""
        _show(asked(self._address(url), lambda client: client.pause_schedule(schedule)))

    def resume(self, schedule: Schedule, url: Url = None) -> None:
        """Let a schedule continue."""
        _show(
            asked(self._address(url), lambda client: client.pause_schedule(schedule, paused=False))
        )

    def trigger(self, schedule: Schedule, url: Url = None) -> None:
        """Submit a schedule's run once, now."""
        asked(self._address(url), lambda client: client.trigger_schedule(schedule))

    def delete(self, schedule: Schedule, url: Url = None) -> None:
        """Delete a schedule; its runs stay."""
        asked(self._address(url), lambda client: client.delete_schedule(schedule))


def _line(schedule: ScheduleListItem) -> str:
    """`nightly  30 2 * * * Europe/Berlin  skip  next 2026-12-01T02:30:00+01:00`."""
    times = f"{schedule.cron} {schedule.timezone}" if schedule.cron else f"{schedule.every_s} s"
    following = next(iter(_times(schedule)), "never")
    state = "paused" if schedule.paused else f"next {following}"
    return f"{schedule.schedule_id}  {times}  {schedule.overlap}  {state}"


def _times(schedule: ScheduleListItem) -> Sequence[str]:
    """The next times by the clocks of its zone; in UTC where this machine does not know it."""
    from datetime import UTC, tzinfo
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    zone: tzinfo = UTC
    with suppress(ZoneInfoNotFoundError):
        zone = ZoneInfo(schedule.timezone)
    return [moment.astimezone(zone).isoformat() for moment in schedule.next]


def _show(schedule: ScheduleView) -> None:
    typer.echo(_line(schedule))
    for moment in _times(schedule)[1:]:
        typer.echo(f"  then {moment}")
    for run in schedule.runs:
        became = run.problem.get("detail") if run.problem else (run.status or "about to start")
        typer.echo(f"  {run.scheduled_at.isoformat()}  {run.run_id}  {became}")
