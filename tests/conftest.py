"""What every test may use: the real Temporal server, a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
from temporalio.client import Client

from journal.migrate import migrate
from tests.own_temporal import own_temporal_server
from tests.postgres_server import MIGRATED, PostgresServer


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[Client]:
    """A client of one embedded Temporal server, the same for the whole session."""
    async with own_temporal_server() as client:
        yield client


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole session; copies of its database `MIGRATED` are ready to use."""
    with PostgresServer() as server:
        prepared = migrate(server.create_database(MIGRATED))
        with asyncio.Runner() as runner:
            runner.run(prepared)
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was logged reaches the process that reports as UTF-8, lone surrogates escaped."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
