"""What Prometheus is told of webhooks: tries by outcome, and what is left to tell."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from relayline import teller
from relayline.contracts.webhooks import TryOutcome
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.webhooks import Backlog
from relayline.outbound.metrics import WebhookMetrics
from relayline.teller import measuring
from tests.api.serving import Api
from tests.journal.outbox import added, completed, planned, queued, told
from tests.webhooks.receiving import answers, receiving
from tests.webhooks.test_telling import registered, removed, settled, submitted

TRIES = {it.value for it in TryOutcome}


def shown(metrics: WebhookMetrics) -> dict[str, float]:
    """Every sample by its name with labels."""
    _, text = metrics.text()
    found = re.findall(r"^(relayline_\S+) (\S+)$", text.decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def tries(metrics: WebhookMetrics) -> dict[str, float]:
    found = shown(metrics)
    return {it: found[f'relayline_webhook_tries_total{{outcome="{it}"}}'] for it in TRIES}


@pytest.mark.slow
async def test_each_try_counts_once_by_its_outcome(api: Api, metrics: WebhookMetrics) -> None:
    before = tries(metrics)
    assert {*before} == TRIES, "from the first scrape on"
    async with receiving(answers("500 Oh")) as receiver:
        made = await registered(api, receiver, events=["run.queued"])
        await submitted(api)
        [failed] = await settled(api, made["webhook_id"], 1, "failed")
        await removed(api, made["webhook_id"])
    given_up = tries(metrics)
    assert given_up["disabled"] == before["disabled"] + 1, "the last try of all has disabled it"
    assert given_up["failed"] == before["failed"] + len(failed["tries"]) - 1
    async with receiving(answers("410 Gone")) as receiver:
        made = await registered(api, receiver, events=["run.queued"])
        await submitted(api)
        await settled(api, made["webhook_id"], 1, "disabled")
        receiver.answer = answers()
        await api.http.post(f"/v1/webhooks/{made['webhook_id']}/enable")
        await settled(api, made["webhook_id"], 1, "delivered")
        await removed(api, made["webhook_id"])
    after = tries(metrics)
    gone = {outcome: after[outcome] - given_up[outcome] for outcome in TRIES}
    assert gone == {**dict.fromkeys(TRIES, 0), "disabled": 1, "delivered": 1}


async def test_pending_deliveries_are_shown_while_the_journal_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "MEASURE_S", 0.02)
    journal = SqliteJournal(tmp_path / "journal.db")
    metrics = WebhookMetrics()
    it = await added(journal)
    await told(journal, queued(), completed())
    await planned(journal.webhooks, it)
    async with measuring(journal.webhooks, metrics), asyncio.timeout(30):
        while "relayline_webhook_deliveries_pending" not in shown(metrics):
            await asyncio.sleep(0.01)
        found = shown(metrics)
        assert found["relayline_webhook_deliveries_pending"] == 2
        assert found["relayline_webhook_oldest_pending_seconds"] > 0
        assert found["relayline_webhook_untold"] == 0
        assert found['relayline_webhook_receivers{state="ok"}'] == 1
        await journal.close()
        while "relayline_webhook_deliveries_pending" in shown(metrics):
            await asyncio.sleep(0.01)


def test_labels_are_of_closed_sets() -> None:
    metrics = WebhookMetrics()
    metrics.show(Backlog(1, 1, 0, receivers=500, failing=20, disabled=3))
    found = shown(metrics)
    assert len(found) == len(TRIES) + 6
    assert found['relayline_webhook_receivers{state="ok"}'] == 477
