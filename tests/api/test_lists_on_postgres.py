"""Lists, the inbox and live pages on Postgres: the same tests, on the other journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.migrate import migrate
from relayline.runtime.settings import Settings
from tests.api.serving import Api, serving
from tests.api.test_inbox import (  # noqa: F401  run here, with the fixtures of this file
    test_an_item_has_all_that_a_person_needs_to_decide,
    test_the_inbox_is_filtered_by_kind_and_agent,
    test_what_expires_first_comes_first_then_what_waits_longest,
    test_what_is_decided_resumed_or_over_waits_no_more,
)
from tests.api.test_listing import (  # noqa: F401
    test_each_filter_keeps_what_it_asks_for,
    test_lists_and_counts_need_no_temporal,
    test_lists_are_filtered_by_status,
    test_lists_are_filtered_by_time,
    test_lists_are_newest_first_and_walked_by_cursor,
    test_pages_lose_and_repeat_nothing_while_runs_come,
    test_the_request_after_the_202_has_the_run,
)
from tests.api.test_live import (  # noqa: F401
    test_a_change_is_told_within_a_tenth_of_a_second,
    test_a_page_has_the_list_its_counts_and_the_inbox_and_then_what_changes,
    test_a_page_outlives_a_journal_that_is_away,
    test_nothing_is_read_when_nobody_looks_and_once_for_all_who_do,
    test_runs_of_a_page_are_resumed_exactly,
)
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def journal(postgres: PostgresServer) -> AsyncIterator[PostgresJournal]:
    dsn = postgres.create_database(f"test_{uuid4().hex}")
    await migrate(dsn)
    made = PostgresJournal(dsn)
    yield made
    await made.close()


@pytest.fixture(scope="module")
async def api(api_temporal: Client, journal: PostgresJournal) -> AsyncIterator[Api]:
    async with serving(Settings(), journal, api_temporal) as served:
        yield served


@pytest.fixture(scope="module")
async def lonely_api(no_temporal: Client, journal: PostgresJournal) -> AsyncIterator[Api]:
    async with serving(Settings(), journal, no_temporal) as served:
        yield served
