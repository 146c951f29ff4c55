"""`relayline batch` as people use it, against the API with a real Temporal and journal."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api.conftest import api, api_temporal, journal, lonely_api, no_temporal, working
from tests.api.serving import Api
from tests.console.test_cli import relayline

pytestmark = pytest.mark.slow

__all__ = ["api", "api_temporal", "journal", "lonely_api", "no_temporal", "working"]
SHORT = {"agent": "assistant", "input": json.dumps({"rehearse": [{"say": "done"}]})}


def lines(*runs: object) -> str:
    return "".join(f"{json.dumps(run)}\n" for run in runs)


@pytest.mark.usefixtures("working")
async def test_a_file_of_runs_runs_and_is_summed_up(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_text(lines(SHORT, SHORT) + "\n" + lines(SHORT))
    words = ("batch", str(file), "--metadata", "team=blue", "--url", str(api.http.base_url))
    ended = await relayline(*words, "--idempotency-key", str(tmp_path))
    batch, summary = ended.out.splitlines()
    assert (ended.code, summary, ended.err) == (0, "3 completed", "")
    again = await relayline(*words, "--idempotency-key", str(tmp_path))
    assert again.out.splitlines() == [batch, "3 completed"]
    counts = await api.http.get("/v1/runs/counts", params={"batch": batch, "metadata.team": "blue"})
    assert counts.json()["total"] == 3


async def test_a_bad_line_is_named_and_the_others_are_submitted(lonely_api: Api) -> None:
    text = lines(SHORT, {"agent": "nobody", "input": "x"}, SHORT)
    url = str(lonely_api.http.base_url)
    ended = await relayline("batch", "-", "--no-wait", "--url", url, stdin=text.encode())
    assert (ended.code, ended.out.splitlines()[1]) == (1, "2 queued, 1 rejected")
    assert ended.err.startswith("line 2: agent: no agent 'nobody'")


async def test_a_line_with_a_key_of_its_own_is_told_where_the_key_belongs(lonely_api: Api) -> None:
    text = lines(SHORT, {**SHORT, "idempotency_key": "1"}, {**SHORT, "idempotency_key": "1"})
    url = str(lonely_api.http.base_url)
    ended = await relayline("batch", "-", "--no-wait", "--url", url, stdin=text.encode())
    assert (ended.code, ended.out.splitlines()[1]) == (1, "1 queued, 2 rejected")
    assert ended.err.count("--idempotency-key is for the whole file") == 2


@pytest.mark.usefixtures("working")
async def test_runs_that_failed_are_named_with_their_lines(api: Api) -> None:
    bad = {"agent": "assistant", "input": json.dumps({"rehearse": [{"fail": 400}]})}
    text = "\ufeff" + lines(SHORT) + "\n" + lines(bad)
    url = str(api.http.base_url)
    ended = await relayline("batch", "-", "--url", url, stdin=text.encode())
    assert (ended.code, ended.out.splitlines()[1]) == (1, "1 completed, 1 failed")
    assert ended.err.startswith("line 3: run_")
    assert " failed: " in ended.err


async def test_a_key_that_submitted_another_file_is_refused_and_it_is_said_what_was_submitted(
    lonely_api: Api,
) -> None:
    url, key = str(lonely_api.http.base_url), ("--idempotency-key", uuid4().hex)
    words = ("batch", "-", "--no-wait", "--url", url, *key)
    first = await relayline(*words, stdin=lines(*[SHORT] * 1001).encode())
    changed = lines(*[SHORT] * 1000, {**SHORT, "priority": 1})
    again = await relayline(*words, stdin=changed.encode())
    assert (again.code, again.out.splitlines()) == (1, first.out.splitlines()[:1])
    assert "the runs before line 1001 were submitted" in again.err
    assert "with another body; use a new key" in again.err


async def test_more_runs_than_one_batch_takes_are_several(lonely_api: Api) -> None:
    text = lines(*[SHORT] * 1001)
    url = str(lonely_api.http.base_url)
    ended = await relayline("batch", "-", "--no-wait", "--url", url, stdin=text.encode())
    *batches, summary = ended.out.splitlines()
    assert (ended.code, len(batches), summary) == (0, 2, "1001 queued")


async def test_a_schedule_is_made_shown_and_deleted(api: Api) -> None:
    url, name = ("--url", str(api.http.base_url)), f"s{uuid4().hex}"
    berlin = ("--timezone", "Europe/Berlin")
    made = await relayline(
        "schedule", "create", name, "hi", "--cron", "0 8 * * *", *berlin, "--agent", "brief", *url
    )
    assert (made.code, made.err) == (0, "")
    first, *others = made.out.splitlines()
    assert first.startswith(f"{name}  0 8 * * * Europe/Berlin  skip  next ")
    times = [first.split()[-1], *(line.removeprefix("  then ") for line in others)]
    assert len(times) == 5
    assert all(time[10:19] == "T08:00:00" and time[-6:] in {"+01:00", "+02:00"} for time in times)
    paused = await relayline("schedule", "pause", name, *url)
    assert paused.out.splitlines()[0].endswith("  paused")
    assert (await relayline("schedule", "delete", name, *url)).code == 0
    gone = await relayline("schedule", "show", name, *url)
    assert (gone.code, name in gone.err) == (1, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no runs"),
        ("\n \n", "no runs"),
        ("{}\n[]\n", "line 2: not a JSON object."),
        ("{\n", "line 1: not JSON: EOF while parsing an object at column 1."),
        ("[\n" * 12, "line 10: not JSON: EOF while parsing a list at column 1; and 2 more."),
    ],
)
async def test_a_file_that_is_none_is_refused_before_anything_is_sent(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_text(text)
    ended = await relayline("batch", str(file), "--url", "http://127.0.0.1:1")
    assert ended.code == 2
    assert said in " ".join(ended.err.replace("│", " ").split())
