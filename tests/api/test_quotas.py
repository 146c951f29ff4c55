"""Quotas: what a tenant may use is kept to, and room is never refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relayline.api.errors import InvalidField
from relayline.api.runs.admission import quotas as module
from relayline.api.runs.admission.quotas import FIGURES_S, OLD_S, QUOTAS_S, QuotaExceeded, RunQuotas
from relayline.contracts.access.quotas import Quotas, QuotaUse, parse_quotas
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.messages import Usage
from relayline.contracts.money import Cost
from relayline.contracts.runs import AgentSpec, RunInput, RunStatus
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import RunFilter, Tenant
from tests.api.serving import completed, ended_with, run_id


class Clock:
    """Seconds that pass when a test says so, and a little at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    made = SqliteJournal(tmp_path / "journal.db")
    yield made
    await made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def kept(storage: SqliteJournal, clock: Clock) -> AsyncIterator[RunQuotas]:
    made = RunQuotas(storage, clock=clock)
    yield made
    await made.close()


def run(tenant: str = "acme", model: str = "rehearsal", *fallbacks: str) -> RunInput:
    spec = AgentSpec(name="assistant", model=model, fallbacks=fallbacks)
    return RunInput(run_id=run_id(), agent=spec, input="x", tenant=tenant)


async def queue(storage: SqliteJournal, given: RunInput) -> None:
    """As a submission tells."""
    fact = run_queued(given, datetime.now(UTC))
    await storage.append(given.run_id, [NewEvent(key=QUEUED_KEY, body=fact)])


async def submit(kept: RunQuotas, storage: SqliteJournal, tenant: str = "acme") -> RunInput:
    given = run(tenant)
    async with kept.admitted([given]):
        await queue(storage, given)
    return given


async def refused(kept: RunQuotas, *runs: RunInput) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as found:
        async with kept.admitted(runs or [run()]):
            pytest.fail("it was admitted")
    return found.value


async def test_as_many_runs_may_be_open_as_the_quota_says(
    kept: RunQuotas, storage: SqliteJournal
) -> None:
    await kept.set("acme", Quotas(open_runs=2), "root")
    first = await submit(kept, storage)
    await submit(kept, storage)
    error = await refused(kept)
    assert error.members == {"quota": "open_runs", "limit": 2, "resets_at": None}
    assert (error.status, error.type, error.retry_after_s) == (429, "quota-exceeded", 1)
    await submit(kept, storage, "beta")
    await storage.append(first.run_id, [completed()])
    await submit(kept, storage)
    await refused(kept)


async def test_runs_of_a_day_are_counted_until_midnight(
    kept: RunQuotas, storage: SqliteJournal
) -> None:
    await kept.set("acme", Quotas(runs_per_day=1), "root")
    done = await submit(kept, storage)
    await storage.append(done.run_id, [completed()])
    error = await refused(kept)
    assert error.members["quota"] == "runs_per_day"
    midnight = datetime.fromisoformat(str(error.members["resets_at"]))
    left = midnight - datetime.now(UTC)
    assert timedelta(0) <= left <= timedelta(days=1)
    assert abs((error.retry_after_s or 0) - left.total_seconds()) < 60


@pytest.mark.parametrize(
    ("limits", "name"),
    [({"tokens_per_day": 110}, "tokens_per_day"), ({"cost_per_day": 0.25}, "cost_per_day")],
)
async def test_what_runs_have_used_is_counted(
    kept: RunQuotas, storage: SqliteJournal, limits: dict[str, Any], name: str
) -> None:
    await kept.set("acme", Quotas(**limits), "root")
    cheap, dear = await submit(kept, storage), await submit(kept, storage)
    usage = Usage(input_tokens=50, output_tokens=5, cost=Cost(amount="0.125"))
    await storage.append(cheap.run_id, [ended_with(usage)])
    assert (await kept.view("acme")).used.tokens_today == 55
    third = await submit(kept, storage)
    await storage.append(dear.run_id, [ended_with(usage)])
    await storage.append(third.run_id, [completed()])
    kept_now = RunQuotas(storage)  # as another process: it has read nothing yet
    assert (await refused(kept_now)).members["quota"] == name
    await kept_now.close()


async def test_a_view_tells_what_the_runs_of_the_day_have_used(
    kept: RunQuotas, storage: SqliteJournal
) -> None:
    dear = Usage(input_tokens=110, cost=Cost(amount="0.25"))
    for usage, tenant in ((dear, "acme"), (Usage(input_tokens=5), "acme"), (dear, "beta")):
        await storage.append((await submit(kept, storage, tenant)).run_id, [ended_with(usage)])
    yesterday = run_queued(old := run(), datetime.now(UTC) - timedelta(days=1))
    await storage.append(old.run_id, [NewEvent(key=QUEUED_KEY, body=yesterday)])
    expected = QuotaUse(open_runs=1, runs_today=2, tokens_today=115, cost_today=0.25)
    assert (await kept.view("acme")).used == expected


async def test_runs_that_are_being_started_count(kept: RunQuotas, storage: SqliteJournal) -> None:
    await kept.set("acme", Quotas(open_runs=2), "root")
    async with kept.admitted([run()]), kept.admitted([run()]):
        await refused(kept)
    await submit(kept, storage)  # neither of them was
    await refused(kept, run(), run())


async def test_no_more_are_admitted_when_many_come_at_once(
    kept: RunQuotas, storage: SqliteJournal
) -> None:
    await kept.set("acme", Quotas(open_runs=5), "root")
    came = await asyncio.gather(*(submit(kept, storage) for _ in range(40)), return_exceptions=True)
    assert sum(isinstance(it, RunInput) for it in came) == 5
    assert sum(isinstance(it, QuotaExceeded) for it in came) == 35


async def test_a_run_that_does_not_start_does_not_count(
    kept: RunQuotas, storage: SqliteJournal
) -> None:
    await kept.set("acme", Quotas(open_runs=1), "root")
    for _ in range(3):
        with pytest.raises(LookupError):
            async with kept.admitted([run()]):
                raise LookupError
    await submit(kept, storage)


async def test_several_runs_are_admitted_together_or_not_at_all(
    kept: RunQuotas, storage: SqliteJournal
) -> None:
    await kept.set("acme", Quotas(open_runs=3), "root")
    await refused(kept, run("beta"), *(run() for _ in range(4)))
    async with kept.admitted([run("beta"), *(run() for _ in range(3))]):
        pass


async def test_a_tenant_uses_the_models_of_its_list_only(kept: RunQuotas) -> None:
    await kept.set("acme", Quotas(models=("openai:*", "rehearsal")), "root")
    good, bad = run(model="openai:gpt-5"), run(model="anthropic:claude")
    async with kept.admitted([good, run()]):
        pass
    with pytest.raises(InvalidField, match="anthropic:claude") as found:
        await kept.admitted([good, bad]).__aenter__()
    assert found.value.type == "model-not-allowed"
    assert found.value.members == {"field": "model", "known": ["openai:*", "rehearsal"]}
    falls_back = run("acme", "openai:gpt-5", "anthropic:claude")
    assert {*await kept.refusals([good, bad, falls_back])} == {bad.run_id, falls_back.run_id}


async def test_the_default_holds_for_a_tenant_without_quotas_of_its_own(
    storage: SqliteJournal,
) -> None:
    kept = RunQuotas(storage, Quotas(open_runs=0))
    assert (await refused(kept)).members["limit"] == 0
    await kept.set("acme", Quotas(), "root")
    await submit(kept, storage)
    await kept.set("acme", None, "root")
    await refused(kept)
    view = await kept.view("acme")
    assert (view.default, view.quotas.open_runs, view.used.open_runs) == (True, 0, 1)


async def test_quotas_that_another_process_sets_hold_soon(
    kept: RunQuotas, storage: SqliteJournal, clock: Clock
) -> None:
    await submit(kept, storage)
    await storage.quotas.set("acme", Quotas(open_runs=1), 1, "root")
    await submit(kept, storage)
    clock.now += QUOTAS_S
    await refused(kept)


class Counting(SqliteJournal):
    """Counts what is read of quotas and figures, and fails if it must."""

    reads = 0
    is_away = False

    async def count_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, int]:
        if self.is_away:
            raise JournalUnavailable("away")
        self.reads += 1
        return await super().count_runs(tenant, wanted)


@pytest.fixture
async def counting(tmp_path: Path) -> AsyncIterator[Counting]:
    made = Counting(tmp_path / "counting.db")
    yield made
    await made.close()


async def test_where_there_is_room_submissions_read_nothing(
    counting: Counting, clock: Clock
) -> None:
    kept = RunQuotas(counting, clock=clock)
    await submit(kept, counting)
    assert counting.reads == 0
    await kept.set("acme", Quotas(open_runs=1000), "root")
    for _ in range(20):
        await submit(kept, counting)
    assert counting.reads == 1
    clock.now += FIGURES_S
    await submit(kept, counting)
    await kept.close()
    clock.now += OLD_S
    before = counting.reads
    await submit(kept, counting)
    assert counting.reads == before + 1


async def test_while_the_journal_is_away_runs_pass_and_count_later(
    counting: Counting, clock: Clock
) -> None:
    kept = RunQuotas(counting, clock=clock)
    await kept.set("acme", Quotas(open_runs=1), "root")
    await submit(kept, counting)
    counting.is_away = True
    await submit(kept, counting)
    clock.now += FIGURES_S
    await submit(kept, counting)
    await asyncio.sleep(0)
    counting.is_away = False
    await refused(kept)
    await kept.close()


async def test_few_tenants_are_remembered(
    storage: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TENANTS", 2)
    kept = RunQuotas(storage)
    for tenant in ("a", "b", "c", "d"):
        await kept.set(tenant, Quotas(open_runs=1), "root")
        await submit(kept, storage, tenant)
    await asyncio.gather(*(refused(kept, run(tenant)) for tenant in ("a", "b", "c", "d")))


def test_quotas_are_read_from_one_line() -> None:
    text = "open_runs=100, cost_per_day=2.5,models=openai:* rehearsal"
    expected = Quotas(open_runs=100, cost_per_day=2.5, models=("openai:*", "rehearsal"))
    assert parse_quotas(text) == expected
    assert parse_quotas("") == Quotas()


@pytest.mark.parametrize("text", ["runs=3", "open_runs", "open_runs=1,open_runs=2"])
def test_a_line_that_has_no_quotas_says_which_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="tokens_per_day"):
        parse_quotas(text)


@pytest.mark.parametrize("text", ["open_runs=-1", "open_runs=many", "cost_per_day=nan"])
def test_a_quota_has_bounds(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        parse_quotas(text)
