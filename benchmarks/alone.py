"""Stacks for benchmarks that start their own: on SQLite or on Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.cluster import postgres_stack
from benchmarks.stack import Stack, running_stack


@asynccontextmanager
async def stack_of(
    data_dir: Path, *, workers: int = 1, env: Mapping[str, str] | None = None, postgres: bool
) -> AsyncIterator[Stack]:
    """A stack with so many workers until the block ends, its journal where it is wanted.

    Args:
        data_dir: A folder for all its processes.
        workers: Workers.
        env: More settings.
        postgres: Whether the journal is in Postgres.

    Raises:
        NotStarted: something did not come up.
    """
    started = postgres_stack if postgres else running_stack
    async with started(data_dir, workers, env) as stack:
        yield stack
