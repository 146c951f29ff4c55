"""APIs without Temporal for the page; one browser for all tests of the page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from relayline.runtime.temporal import data_converter
from tests.api.auth.keyed import keyed
from tests.api.serving import Api, serving
from tests.dev_stack import DevStack
from tests.web.chromium import browser, opened


@pytest.fixture(scope="session")
async def page_journal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SqliteJournal]:
    made = SqliteJournal(tmp_path_factory.mktemp("web") / "journal.db")
    yield made
    await made.close()


@pytest.fixture(scope="session")
async def nowhere() -> Client:
    """A client of a Temporal that is not there."""
    return await Client.connect("127.0.0.1:1", lazy=True, data_converter=data_converter)


@pytest.fixture(scope="session")
async def keyed_page(page_journal: SqliteJournal, nowhere: Client) -> AsyncIterator[Api]:
    """An API that asks for keys, with a journal and no Temporal."""
    async with serving(keyed(), page_journal, nowhere) as served:
        yield served


@pytest.fixture(scope="session")
async def plain_page(page_journal: SqliteJournal, nowhere: Client) -> AsyncIterator[Api]:
    """The same for everybody."""
    async with serving(Settings(), page_journal, nowhere) as served:
        yield served


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as started:
        yield started


@pytest.fixture
async def page(chromium: Browser, stack: DevStack) -> AsyncIterator[Page]:
    """The page of a whole stack, in a wide window."""
    async with opened(chromium, stack.api_urls[0]) as shown:
        yield shown
