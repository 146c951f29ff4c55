"""The API knows the agents of the current build from the journal, and imports no code of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client

from relayline.api.errors import TemporalUnavailable
from relayline.api.runs.admission import known_agents
from relayline.api.runs.admission.known_agents import KnownAgents
from relayline.contracts.operation.catalogs import CatalogSpecs
from relayline.contracts.runs import AgentSpec
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Storage
from relayline.runtime.settings import Settings
from relayline.wiring import build_catalog
from tests.api.serving import serving

BUILT_IN = {"assistant": AgentSpec(name="assistant", model="rehearsal")}


class Site:
    """What the API knows, with a current build that the test chooses."""

    def __init__(self, journal: Storage) -> None:
        self.journal = journal
        self.current = ""
        self.temporal_is_down = False
        self.agents = KnownAgents(journal.catalogs, BUILT_IN, self._ask)

    async def _ask(self) -> str:
        if self.temporal_is_down:
            raise TemporalUnavailable("it is down")
        return self.current

    async def write(self, build: str, *names: str, at: int = 1, seen: bool = True) -> None:
        agents = {name: AgentSpec(name=name, model="rehearsal") for name in names}
        await self.journal.catalogs.write(build, CatalogSpecs.of(agents, {}), at, seen=seen)

    async def known(self) -> tuple[str | None, list[str]]:
        await self.agents.fresh()
        return self.agents.build, sorted(self.agents)


@pytest.fixture
async def own_journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    made = SqliteJournal(tmp_path / "journal.db")
    yield made
    await made.close()


@pytest.fixture
def site(own_journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(known_agents, "READ_EVERY_S", 0)
    return Site(own_journal)


async def test_before_any_worker_was_there_only_built_in_agents_are_known(site: Site) -> None:
    assert await site.known() == (None, ["assistant"])
    assert site.agents.seen_at is None
    await site.write("", "clerk", at=5_000_000)
    assert await site.known() == ("", ["clerk"])
    assert site.agents.seen_at == datetime.fromtimestamp(5, UTC)


async def test_the_agents_are_those_of_the_current_build(site: Site) -> None:
    await site.write("one", "clerk", at=1)
    await site.write("two", "clerk", "scout", at=2)
    await site.write("three", "next", at=3, seen=False)
    assert await site.known() == ("two", ["clerk", "scout"]), "none is current: the newest seen"
    site.current = "one"
    assert await site.known() == ("one", ["clerk"])
    site.current, site.temporal_is_down = "two", True
    assert await site.known() == ("one", ["clerk"]), "as Temporal said last"
    site.temporal_is_down = False
    assert await site.known() == ("two", ["clerk", "scout"])
    site.current = "three"
    assert await site.known() == ("three", ["next"])
    assert site.agents.seen_at is None, "it was only pushed"


async def test_a_catalog_is_read_at_most_once_a_second(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_agents, "READ_EVERY_S", 60)
    await site.write("", "clerk")
    assert await site.known() == ("", ["clerk"])
    await site.write("", "scout")
    assert await site.known() == ("", ["clerk"])
    await asyncio.sleep(known_agents.MISSED_EVERY_S)
    await site.agents.fresh("clerk")
    assert sorted(site.agents) == ["clerk"]
    await site.agents.fresh("scout")
    assert sorted(site.agents) == ["scout"], "one that is asked for and not known is looked for"
    monkeypatch.setattr(known_agents, "READ_EVERY_S", 0)
    assert await site.known() == ("", ["scout"])


async def test_without_the_journal_known_agents_stay_and_others_are_not_called_unknown(
    site: Site, own_journal: SqliteJournal
) -> None:
    await site.write("", "clerk")
    assert await site.known() == ("", ["clerk"])
    await own_journal.close()
    assert await site.known() == ("", ["clerk"])
    assert site.agents.get("clerk") is not None
    with pytest.raises(JournalUnavailable):
        site.agents.get("scout")


async def test_agents_are_listed_with_their_build_and_new_ones_take_runs(
    site: Site, api_temporal: Client
) -> None:
    body = {"agent": "clerk", "input": "hello"}
    async with serving(Settings(), site.journal, api_temporal) as api:
        listed = (await api.http.get("/v1/agents")).json()
        assert (listed["build"], listed["seen_at"]) == (None, None)
        refused = await api.http.post("/v1/runs", json=body)
        assert refused.json()["type"].endswith("unknown-agent")
        await site.write("", "clerk", at=5_000_000)
        listed = (await api.http.get("/v1/agents")).json()
        assert [agent["name"] for agent in listed["agents"]] == ["clerk"]
        assert (listed["build"], listed["seen_at"]) == ("", "1970-01-01T00:00:05Z")
        assert (await api.http.post("/v1/runs", json=body)).status_code == 202
        batch = (await api.http.post("/v1/batches", json={"runs": [body]})).json()
        assert len(batch["accepted"]) == 1, batch


def test_the_catalog_of_the_api_holds_no_code_of_the_users(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, catalog="no.such.module")
    assert list(build_catalog(settings, own=False).agents) == ["assistant"]
