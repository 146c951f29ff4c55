"""A worker without a configured build has the id of its code, and loads only what it needs."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from contextlib import aclosing
from pathlib import Path

import pytest
from temporalio.client import Client

import relayline
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.housekeeper import build_housekeeper
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from relayline.worker import build_worker
from tests.workers.test_builds import Site, done

ID = "from relayline.runtime.build import code_id; print(code_id())"
LOADED = "import json, sys, {module}; print(json.dumps([*sys.modules]))"
NOBODYS = {"alembic", "anthropic", "asyncpg", "google.genai", "openai", "pydantic_ai", "sqlalchemy"}
"""Loaded when a provider or the journal in Postgres is used."""


async def printed(code: str, folder: Path) -> str:
    """What Python says with `relayline` of that folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", code),
        env={"PYTHONPATH": str(folder)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().strip()


@pytest.mark.slow
async def test_the_id_is_that_of_the_text_of_every_module(tmp_path: Path) -> None:
    [source] = relayline.__path__
    ignored = shutil.ignore_patterns("__pycache__")
    copy = tmp_path / "relayline"
    shutil.copytree(source, copy, ignore=ignored)
    here = await printed(ID, Path(source).parent)
    assert await printed(ID, tmp_path) == here
    for module in ("workflows/policy.py", "contracts/queues.py"):
        with (copy / module).open("a") as file:
            file.write("# changed\n")
        changed = await printed(ID, tmp_path)
        assert changed.partition("+")[0] == here.partition("+")[0]
        assert changed != here
        here = changed


@pytest.mark.slow
async def test_histories_tell_which_code_decided(
    own_temporal: Client, journal: SqliteJournal
) -> None:
    async with (
        aclosing(provider_for(ProviderConfig())) as providers,
        build_worker(own_temporal, journal, providers, Settings(drain_s=0.1)),
        build_housekeeper(own_temporal, journal, None),
        Site(own_temporal, journal, "no models") as site,
    ):
        run = await site.start("rehearsal", {"say": "done"})
        await done(run)
        round_ = await site.housekeeping()
        await round_.result()
        for handle in (run, round_):
            history = await handle.fetch_history()
            builds = {
                event.workflow_task_completed_event_attributes.worker_version.build_id
                for event in history.events
                if event.HasField("workflow_task_completed_event_attributes")
            }
            assert builds == {await printed(ID, Path(relayline.__path__[0]).parent)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("relayline.worker", NOBODYS | {"fastapi", "httpx", "httpx2", "typer", "uvicorn"}),
        ("relayline.api.app", NOBODYS | {"httpx", "httpx2", "rich", "typer"}),
        ("relayline.cli", NOBODYS | {"fastapi", "httpx", "rich", "temporalio", "uvicorn"}),
    ],
)
async def test_a_program_starts_without_what_it_may_never_use(
    module: str, unwanted: set[str]
) -> None:
    loaded = json.loads(
        await printed(LOADED.format(module=module), Path(relayline.__path__[0]).parent)
    )
    assert module in loaded
    assert not unwanted & {*loaded}
