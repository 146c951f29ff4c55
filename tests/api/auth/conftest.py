"""An API that asks for keys, on the journal and the Temporal of its neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from tests.api.auth.keyed import keyed
from tests.api.serving import Api, serving


@pytest.fixture(scope="session")
async def keyed_api(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    async with serving(keyed(), journal, api_temporal) as served:
        yield served
