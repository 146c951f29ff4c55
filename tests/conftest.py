"""What every test may use: the real Temporal server, a real Postgres."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
from temporalio.client import Client

from relayline.journal.postgres.migrate import migrate
from tests import examples
from tests.dev_stack import DevStack
from tests.own_temporal import own_temporal_server
from tests.postgres_server import MIGRATED, PostgresServer
from tests.selection import (
    pytest_collection_modifyitems,
    pytest_deselected,
    pytest_runtest_protocol,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_deselected",
    "pytest_runtest_protocol",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]
examples.register()
STDERR = pytest.StashKey[int]()
"""What stderr is while no test's output is captured."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("teardown_timeout", "Seconds until a teardown that hangs ends the process")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STDERR] = os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2)


def pytest_report_header(config: pytest.Config) -> str:
    return f"drawn with: --hypothesis-seed={config.getoption('hypothesis_seed')}"


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[STDERR])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """pytest-timeout bounds no teardown after a phase that failed, so here each one has a bound.

    A teardown that takes longer ends this process with its tracebacks on stderr; the process that
    waits for it, pytest-xdist's or CI's, reports that as a failure.
    """
    seconds = float(item.config.getini("teardown_timeout"))
    faulthandler.dump_traceback_later(seconds, exit=True, file=item.config.stash[STDERR])
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[Client]:
    """A client of one embedded Temporal server, the same for the whole session."""
    async with own_temporal_server() as client:
        yield client


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """`relayline dev` with one worker and quick heartbeats, for tests that leave it as it was."""
    async with DevStack(tmp_path_factory.mktemp("dev"), RELAYLINE_HEARTBEAT_S="0.5") as started:
        yield started


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
