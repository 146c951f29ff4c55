"""`relayline erase`: says what it would erase, asks, and erases."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api.conftest import api, api_temporal, journal
from tests.api.serving import Api, completed, run_id, started
from tests.api.test_runs import submitted
from tests.console.test_cli import Ended, relayline

pytestmark = pytest.mark.slow

__all__ = ["api", "api_temporal", "journal"]


async def erase(api: Api, *words: str) -> Ended:
    return await relayline("erase", *words, "--url", str(api.http.base_url))


async def ended_with(api: Api, user: str, text: str = "hello") -> str:
    run = await submitted(api, input=text, metadata={"user": user})
    await api.journal.append(run, [started(), completed()])
    return run


async def test_all_ended_runs_with_that_metadata_are_erased_and_no_others(api: Api) -> None:
    user, other = uuid4().hex, uuid4().hex
    runs = [await ended_with(api, user, f"number {n}") for n in range(12)]
    still_open = await submitted(api, metadata={"user": user})
    stays = await ended_with(api, other)
    named = ("--metadata", f"user={user}")
    shown = await erase(api, *named, "--dry-run")
    assert shown.out.startswith("12 runs to erase\n")
    assert f"  {runs[-1]}  number 11\n" in shown.out
    assert shown.out.endswith("  … and 2 more\n")
    assert (shown.code, shown.err) == (1, f"{still_open} has not ended: cancel it first\n")
    unasked = await erase(api, *named)
    assert "pass --yes" in unasked.err
    assert (await api.http.get(f"/v1/runs/{runs[0]}")).status_code == 200
    done = await erase(api, *named, "--yes")
    assert done.out.endswith("12 runs erased\n")
    for run in runs:
        assert (await api.http.get(f"/v1/runs/{run}")).status_code == 404
    for run in (still_open, stays):
        assert (await api.http.get(f"/v1/runs/{run}")).status_code == 200


async def test_runs_are_erased_by_id(api: Api) -> None:
    run, unknown = await ended_with(api, "ann"), run_id()
    done = await erase(api, run, unknown, "--yes")
    assert done == Ended(1, f"1 run to erase\n  {run}\n1 run erased\n", f"no run '{unknown}'\n")
    again = await erase(api, run, "--yes")
    assert again == Ended(1, "0 runs to erase\n", f"no run '{run}'\n")


async def test_a_command_that_names_no_run_erases_none(api: Api) -> None:
    for words in ((), ("run_x", "--metadata", "a=b"), ("--metadata", "user")):
        refused = await erase(api, *words)
        assert refused.code == 2
        assert "KEY=VALUE" in refused.err
