"""The short form of `make chaos`: a mixed load on two API processes and two workers, faults and
operators meanwhile, and no promise broken."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import pytest

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, RunFilter
from relayline.journal.terminal import read_all
from tests.chaos.__main__ import campaign
from tests.chaos.checks import Violation
from tests.web.folding import Reducer

pytestmark = pytest.mark.stack

SEED = 2
"""A seed that holds a call first, then kills a worker, and then has two runs reset within 15 s."""
FIRST_RESTARTS_POSTGRES = 23
"""A seed whose first fault of the mix `restarts` is the restart of Postgres."""


async def played(folder: Path, **given: Any) -> tuple[list[Violation], dict[str, Any]]:
    usual = {"runs": 24, "minutes": 2, "at_once": 8, "fault_every_s": 2.5, "workers": 2}
    return await campaign(folder, argparse.Namespace(**usual | given))


@pytest.mark.timeout(300)  # some thirty runs on one stack, and what a busy machine adds
async def test_nothing_is_lost_and_nothing_comes_twice_whatever_is_killed(tmp_path: Path) -> None:
    wanted = ("kill worker", "hold run", "reset run")
    given = {"seed": SEED, "mix": "operators", "api": 2, "postgres": False, "wanted": wanted}
    found, told = await played(tmp_path, **given)
    assert found == []
    assert told["runs"] >= 10
    assert told["faults"]["kill worker"] >= 1
    assert told["faults"]["hold run"] >= 1
    assert told["rewound"] >= told["faults"]["reset run"] >= 1
    assert told["characters"] > 1000
    assert await misread(tmp_path) == []


async def misread(folder: Path) -> list[str]:
    """Runs of which the page in the browser would know something else; without Node, none."""
    if not shutil.which("node"):
        return []
    journal = SqliteJournal(folder / "data" / "journal.db")
    reducer = Reducer(folder / "model")
    try:
        runs = [it.row.run_id for it in await journal.list_runs(EVERY, RunFilter(), 1000)]
        assert runs
        stored = {run: await read_all(journal, run, facts=False) for run in runs}
        return [run for run, events in stored.items() if not reducer.agrees(events)]
    finally:
        reducer.close()
        await journal.close()


@pytest.mark.timeout(300)  # as above, with more processes
async def test_the_same_holds_for_two_api_processes_on_a_postgres_that_is_restarted(
    tmp_path: Path,
) -> None:
    seed = FIRST_RESTARTS_POSTGRES
    given: dict[str, Any] = {"seed": seed, "mix": "restarts", "api": 2, "postgres": True}
    given["wanted"] = ("drain journal",)
    found, told = await played(tmp_path, **given)
    assert found == []
    assert told["runs"] >= 10
    assert told["faults"]["drain journal"] >= 1
    assert told["characters"] > 1000
