"""A tree of runs as lines: each run below the one that has started it, indented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relayline.client import AsyncClient
from relayline.console.tty.lines import one_line
from relayline.contracts.answers import RunListItem, RunView

_WHAT_CHARS = 60
_INDENT = "  "


async def tree_of(client: AsyncClient, run_id: str) -> tuple[RunView, Sequence[RunListItem]]:
    """The run, and all runs of its tree but the one at the top, oldest first.

    Raises:
        RelaylineError: the run is unknown, or the API refuses.
    """
    top = await client.run(run_id).get()
    found = [item async for item in client.runs(root=top.root or run_id)]
    return top, found[::-1]


def tree_lines(top: RunView, runs: Sequence[RunListItem]) -> Iterator[str]:
    """A line for the run and for each run below it, in the order of their starts."""
    yield _line(top, "")
    yield from _below(top.run_id, runs, _INDENT)


def _below(run_id: str, runs: Sequence[RunListItem], indent: str) -> Iterator[str]:
    for item in runs:
        if item.parent == run_id:
            yield _line(item, indent)
            yield from _below(item.run_id, runs, indent + _INDENT)


def _line(run: RunView | RunListItem, indent: str) -> str:
    """Agent, id, status, tokens and, if it waits itself, what for."""
    tokens = f"{run.usage.total_tokens:,} tokens"
    waits = [item.what for item in run.waiting_for if not item.run_id]
    what = f" · {one_line(waits[0], _WHAT_CHARS)}" if waits else ""
    return f"{indent}{run.agent}  {run.run_id}  {run.status.value} · {tokens}{what}"
