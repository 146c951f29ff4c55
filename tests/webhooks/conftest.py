"""An API, a worker and their Temporal, whose receivers may be on loopback and are soon retried."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from temporalio.client import Client

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.outbound.metrics import WebhookMetrics
from relayline.runtime.settings import Settings
from relayline.teller import telling
from relayline.worker import build_worker
from tests.api.serving import Api, serving
from tests.own_temporal import own_temporal_server

SETTINGS = Settings(
    webhook_loopback=True,
    webhook_retry_s=(0.2, 0.4),
    webhook_give_up_s=12,
    webhook_rest_s=0.3,
    drain_s=0.1,
)


@pytest.fixture(scope="session")
async def told_temporal() -> AsyncIterator[Client]:
    """A Temporal server of this folder's own."""
    async with own_temporal_server() as client:
        yield client


@pytest.fixture(scope="session")
def told_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of that journal."""
    return tmp_path_factory.mktemp("webhooks") / "journal.db"


@pytest.fixture(scope="session")
async def told_journal(told_file: Path) -> AsyncIterator[SqliteJournal]:
    """The journal of API and worker."""
    made = SqliteJournal(told_file)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def metrics() -> WebhookMetrics:
    """What the worker counts."""
    return WebhookMetrics()


@pytest.fixture(scope="session")
async def api(
    told_temporal: Client, told_journal: SqliteJournal, metrics: WebhookMetrics
) -> AsyncIterator[Api]:
    """The API with a worker behind it."""
    async with (
        serving(SETTINGS, told_journal, told_temporal) as served,
        aclosing(provider_for(ProviderConfig())) as providers,
        build_worker(told_temporal, told_journal, providers, SETTINGS),
        telling(told_temporal, told_journal, SETTINGS, metrics=metrics),
    ):
        yield served
