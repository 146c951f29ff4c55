"""`relayline batch`: submit a file of runs, show how far they are, and sum up."""

from __future__ import annotations

import asyncio
import sys
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from relayline.console.commands.run import INTERRUPTED, Metadata
from relayline.console.exit import Failure
from relayline.console.options import Url, asked

if TYPE_CHECKING:
    from pydantic import JsonValue, ValidationError

    from relayline.client import AsyncClient
    from relayline.contracts.submissions.batches import BatchView

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

LOOK_S = 0.5
_BAR_CHARS = 30
_NAMED = 10
"""Lines, or runs, of which it is told what went wrong."""
_NO_KEY = "a run of a batch has no key of its own: --idempotency-key is for the whole file"


class _Line(NamedTuple):
    """A line of the file."""

    number: int
    """From 1."""
    run: dict[str, JsonValue]
    size_bytes: int


class BatchCommands:
    """The command; it exits with 1 and one line if the API refuses or does not answer."""

    def __init__(self, address: Callable[[str | None], str]) -> None:
        """Create the command.

        Args:
            address: Gives the API's base URL for a value of `--url`.
        """
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add it to a command line."""
        app.command()(self.batch)

    def batch(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        file: Annotated[
            str,
            typer.Argument(
                metavar="FILE",
                help='One run a line, as JSON: {"agent": …, "input": …}; `-` reads stdin.',
            ),
        ],
        priority: Annotated[
            int | None, typer.Option(metavar="N", help="1 (first) to 5 (last), for all runs.")
        ] = None,
        metadata: Metadata = None,
        idempotency_key: Annotated[
            str | None,
            typer.Option(
                metavar="KEY", help="Repeating the command with the same key starts no second run."
            ),
        ] = None,
        wait: Annotated[
            bool, typer.Option(help="Wait until every run has ended; or print the ids and leave.")
        ] = True,
        url: Url = None,
    ) -> None:
        """Submit the runs of a file, 1,000 in a batch, and wait until they have ended.

        Prints the id of each batch. Ctrl-C detaches: the runs continue. Exits with 0 if every run
        was accepted and has completed, else with 1; without waiting, if every run was accepted.
        """
        from relayline.console.arguments import metadata_of

        lines, labels = _lines(file), metadata_of(metadata) if metadata else None
        given = _Given(priority, labels, idempotency_key)
        base_url = self._address(url)
        submitted = _submitted(base_url, lines, given)
        try:
            views = asked(base_url, lambda client: _ended(client, submitted, wait=wait))
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            typer.echo("\ndetached; the runs continue", err=True)
            raise typer.Exit(INTERRUPTED) from error
        if wait:
            asked(base_url, lambda client: _name_failures(client, submitted, views))
        if not _sum_up(views, wait=wait):
            raise typer.Exit(1)


class _Given(NamedTuple):
    """What all runs share."""

    priority: int | None
    metadata: dict[str, str] | None
    idempotency_key: str | None


class _Submitted(NamedTuple):
    """A batch that was accepted."""

    batch_id: str
    lines: Mapping[str, int]
    """The line of each accepted run."""
    size: int
    """How many lines it has, those that were rejected included."""


def _lines(file: str) -> Sequence[_Line]:
    """The lines that are not empty.

    Raises:
        BadParameter: the file can't be read, has no runs, or a line is no JSON object.
    """
    from pydantic import JsonValue, TypeAdapter, ValidationError

    adapter: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} can't be read: {error.strerror}") from error
    found: list[_Line] = []
    bad: list[str] = []
    for number, line in enumerate(data.removeprefix(BOM_UTF8).split(b"\n"), 1):
        if line.strip():
            try:
                found.append(_Line(number, adapter.validate_json(line), len(line)))
            except ValidationError as error:
                bad.append(f"line {number}: {_why(error)}")
    if bad:
        more = [f"and {len(bad) - _NAMED} more"] if len(bad) > _NAMED else []
        told = "; ".join([*bad[:_NAMED], *more])
        raise typer.BadParameter(f"{file}: {told}. Nothing was submitted: write one run a line")
    if not found:
        raise typer.BadParameter(f"{file} has no runs: write one JSON object a line")
    return found


def _why(error: ValidationError) -> str:
    """Why a line is none: `not JSON: EOF while parsing a string at column 12`."""
    first = error.errors(include_url=False)[0]
    if first["type"] != "json_invalid":
        return "not a JSON object"
    return f"not JSON: {first['ctx']['error'].replace('line 1 column', 'column')}"


def _submitted(base_url: str, lines: Sequence[_Line], given: _Given) -> Sequence[_Submitted]:
    """Submit all lines; if that stops half-way, say which ones were submitted."""
    submitted: list[_Submitted] = []
    try:
        asked(base_url, lambda client: _submit(client, lines, given, submitted))
    except (Failure, KeyboardInterrupt, asyncio.CancelledError) as error:
        done = sum(batch.size for batch in submitted)
        if 0 < done < len(lines):
            said = f"the runs before line {lines[done].number} were submitted and continue"
            typer.echo(f"\n{said}", err=True)
        if isinstance(error, Failure):
            raise
        raise typer.Exit(INTERRUPTED) from error
    return submitted


async def _submit(
    client: AsyncClient, lines: Sequence[_Line], given: _Given, submitted: list[_Submitted]
) -> None:
    """Submit all lines and print how each went; `submitted` grows by each batch."""
    priority, metadata, key = given
    for part in _parts(lines):
        batch = await client.submit_batch(
            [line.run for line in part],
            priority=priority,
            metadata=metadata,
            idempotency_key=key and f"{key}/{len(submitted)}",
        )
        numbers = {run.run_id: part[run.index].number for run in batch.accepted}
        submitted.append(_Submitted(batch.batch_id, numbers, len(part)))
        typer.echo(batch.batch_id)
        for rejected in batch.rejected:
            detail, field = rejected.problem.get("detail"), rejected.problem.get("field")
            hint = f"; {_NO_KEY}" if field == "idempotency_key" else ""
            typer.echo(f"line {part[rejected.index].number}: {detail}{hint}", err=True)


async def _name_failures(
    client: AsyncClient, submitted: Sequence[_Submitted], views: Sequence[BatchView]
) -> None:
    """Print the first runs that did not complete, with the reasons."""
    from relayline.contracts.runs import TERMINAL, RunStatus

    wrong = [status for status in RunStatus if status in TERMINAL and status != RunStatus.COMPLETED]
    left = _NAMED
    for batch, view in zip(submitted, views, strict=True):
        if not left or not any(view.by_status.get(status) for status in wrong):
            continue
        page = await client.list(batch=batch.batch_id, status=wrong, limit=left)
        for run in page.runs:
            why = f": {run.error.message}" if run.error else ""
            number = batch.lines.get(run.run_id, "?")
            typer.echo(f"line {number}: {run.run_id} {run.status}{why}", err=True)
        left -= len(page.runs)


def _parts(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """The lines in batches of a size that the server takes."""
    from relayline.contracts.submissions.batches import MAX_BATCH_BYTES, MAX_BATCH_RUNS

    part: list[_Line] = []
    size = 0
    for line in lines:
        size += line.size_bytes
        if part and (len(part) == MAX_BATCH_RUNS or size > MAX_BATCH_BYTES // 2):
            yield part
            part, size = [], line.size_bytes
        part.append(line)
    yield part


async def _ended(
    client: AsyncClient, submitted: Sequence[_Submitted], *, wait: bool
) -> Sequence[BatchView]:
    """The batches once they have ended, or at once; shows how far they are."""
    from relayline.client import ConnectionLost

    shows = wait and sys.stderr.isatty()
    views: Sequence[BatchView] = ()
    while not views or (wait and not all(view.ended for view in views)):
        if views:
            await asyncio.sleep(LOOK_S)
        try:
            views = [await client.batch(batch.batch_id) for batch in submitted]
        except ConnectionLost:
            if not views:
                raise
            continue  # the API is about to come back
        if shows:
            sys.stderr.write(f"\r{_bar(views)}\033[K")
            sys.stderr.flush()
    if shows:
        sys.stderr.write("\n")
    return views


def _by_status(views: Sequence[BatchView]) -> Counter[str]:
    found: Counter[str] = Counter()
    for view in views:
        found.update({status.value: count for status, count in view.by_status.items()})
    return found


def _bar(views: Sequence[BatchView]) -> str:
    """`█████░░░░░ 50/100  2 failed`."""
    from relayline.contracts.runs import TERMINAL

    by_status, total = _by_status(views), sum(view.total for view in views)
    ended = sum(by_status[status.value] for status in TERMINAL)
    full = _BAR_CHARS * ended // total if total else _BAR_CHARS
    failed = f"  {by_status['failed']} failed" if by_status["failed"] else ""
    return f"{'█' * full}{'░' * (_BAR_CHARS - full)} {ended}/{total}{failed}"


def _sum_up(views: Sequence[BatchView], *, wait: bool) -> bool:
    """Print how many runs there are of each kind; True if nothing went wrong."""
    by_status = _by_status(views)
    rejected = sum(len(view.rejected) for view in views)
    kinds = [f"{count} {status}" for status, count in sorted(by_status.items())]
    typer.echo(", ".join([*kinds, *([f"{rejected} rejected"] if rejected else [])]))
    return not rejected and (not wait or set(by_status) <= {"completed"})
