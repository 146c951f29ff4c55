"""One Temporal server, one journal and one API for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from temporalio.client import Client

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.api.auth import api_keys
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from relayline.runtime.temporal import data_converter
from relayline.worker import build_worker
from tests.api.auth.keyed import SECRET, keyed
from tests.api.serving import Api, NoCatalogs, serving
from tests.own_temporal import own_temporal_server


@pytest.fixture(scope="session")
async def api_temporal() -> AsyncIterator[Client]:
    """A Temporal server of this folder's own: nobody else's worker takes its runs."""
    async with own_temporal_server() as client:
        yield client


@pytest.fixture(scope="session")
async def no_temporal() -> Client:
    """A client of a Temporal that is not there."""
    return await Client.connect("127.0.0.1:1", lazy=True, data_converter=data_converter)


@pytest.fixture(scope="session")
async def journal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SqliteJournal]:
    """The journal of API and worker."""
    made = SqliteJournal(tmp_path_factory.mktemp("api") / "journal.db")
    made.catalogs = NoCatalogs()
    yield made
    await made.close()


@pytest.fixture(scope="session")
async def api(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """The API, with a Temporal but without any worker."""
    settings = Settings(max_streams_per_client=2000, temporal_ui="http://ui.test")
    async with serving(settings, journal, api_temporal) as served:
        yield served


@pytest.fixture(scope="session")
async def lonely_api(no_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """The API with the same journal and no Temporal."""
    async with serving(Settings(), journal, no_temporal) as served:
        yield served


@pytest.fixture
async def strict(
    api_temporal: Client, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """An API that asks for keys, and looks again at once whether they still hold."""
    monkeypatch.setattr(api_keys, "FRESH_S", 0.05)
    async with serving(keyed(), journal, api_temporal) as served:
        served.services.streams.access_check.interval_s = 0.05
        yield served


@pytest.fixture
async def working(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[None]:
    """A worker, for as long as the test."""
    async with (
        aclosing(provider_for(ProviderConfig())) as providers,
        build_worker(api_temporal, journal, providers, Settings(drain_s=0.1, secret=SECRET)),
    ):
        yield
