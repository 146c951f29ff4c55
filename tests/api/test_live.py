"""One stream for a page: its list, counts, inbox, the server's state and runs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from statistics import median
from typing import Any

import pytest
from temporalio.client import Client

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunRewound
from relayline.journal.table import EVERY, RunFilter, Storage
from relayline.runtime.settings import Settings
from tests.api.asking import asks
from tests.api.flaky import FlakyJournal
from tests.api.pages import looking
from tests.api.serving import Api, completed, deltas, eventually, run_id, serving, started
from tests.api.test_listing import queued
from tests.api.test_runs import submitted

CHANGES = 7
TURNS = 5


async def test_a_page_has_the_list_its_counts_and_the_inbox_and_then_what_changes(
    api: Api,
) -> None:
    label = {"live": "a"}
    old = await submitted(api, metadata=label)
    params = {"list": "metadata.live=a&open=true", "inbox": "true"}
    async with looking(api, params) as page:
        await eventually(lambda: {"runs", "counts", "inbox", "system"} <= page.kinds())
        assert [*page.runs] == [old]
        assert page.counts == {"total": 1, "by_status": {"queued": 1}}
        new = await submitted(api, metadata=label)
        other = await submitted(api, metadata={"live": "b"})
        await eventually(lambda: new in page.runs)
        await api.journal.append(new, [started(), *asks()])
        await eventually(lambda: page.runs[new]["status"] == "waiting")
        names = {f"{new}/approval_1_0", f"{new}/input_1_0"}
        await eventually(lambda: names <= {*page.inbox})
        await eventually(lambda: page.counts["by_status"] == {"queued": 1, "waiting": 1})
        assert page.inbox[f"{new}/input_1_0"]["question"] == "which one?"
        await api.journal.append(new, [completed()])
        await eventually(lambda: new not in page.runs and not names & {*page.inbox})
        assert other not in page.runs
        sent = [body for _, kind, body in page.got if kind == "runs"]
        shown = (await api.http.get("/v1/runs", params={"metadata.live": "a"})).json()["runs"]
        assert sent[0]["upsert"] == [item for item in shown if item["run_id"] == old]
        assert sum(item["run_id"] == old for body in sent for item in body["upsert"]) == 1
    await api.quiet()
    assert api.services.live.boards == 0


async def test_counts_of_a_page_leave_its_status_out(api: Api) -> None:
    await queued(api, metadata={"live": "c"})
    ended = await queued(api, metadata={"live": "c"})
    await api.journal.append(ended, [started(), completed()])
    async with looking(api, {"list": "metadata.live=c&status=completed"}) as page:
        await eventually(lambda: bool(page.counts and page.runs))
        assert page.counts == {"total": 2, "by_status": {"queued": 1, "completed": 1}}
        assert [*page.runs] == [ended]


async def test_a_page_shows_the_top_of_the_list(api: Api) -> None:
    made = [await queued(api, metadata={"live": "d"}) for _ in range(3)]
    async with looking(api, {"list": "metadata.live=d&limit=2"}) as page:
        await eventually(lambda: bool(page.runs))
        assert [*page.runs] == made[:0:-1]
        made.append(await queued(api, metadata={"live": "d"}))
        await eventually(lambda: made[-1] in page.runs)
        assert {*page.runs} == {*made[-2:]}


async def test_runs_of_a_page_are_resumed_exactly(api: Api) -> None:
    one, two, over = run_id(), run_id(), run_id()
    await api.journal.append(over, [started(), completed()])
    for run in (one, two):
        await api.journal.append(run, [started(), *deltas(3)])
    params = {"run": [f"{one}:2", two, f"{over}:2"]}
    async with looking(api, params) as page:
        await eventually(lambda: len(page.events()) == 6)
        seen = page.events()
        newest = page.newest_id
    assert {*newest.split(",")} == {f"{one}:4", f"{two}:4", f"{over}:2"}
    await api.journal.append(one, deltas(2))
    await api.journal.append(two, [completed()])
    async with looking(api, params, newest) as page:
        await eventually(lambda: len(page.events()) == 3)
        seen += page.events()
        await api.journal.append(one, [completed()])
        await eventually(lambda: len(page.events()) == 4)
        seen += page.events()[3:]
    for run, seqs in ((one, [3, 4, 5, 6, 7]), (two, [1, 2, 3, 4, 5]), (over, [])):
        assert [event["seq"] for event in seen if event["run_id"] == run] == seqs
    own = (await api.http.get(f"/v1/runs/{two}/events")).json()["events"]
    assert [event for event in seen if event["run_id"] == two] == own


async def test_a_page_of_many_events_gets_each_once_and_in_order(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), *deltas(3000, size=200)])
    async with looking(api, {"run": run}) as page:
        await eventually(lambda: len(page.events()) >= 3001)
        await api.journal.append(run, deltas(50))
        await eventually(lambda: len(page.events()) >= 3051)
        assert [event["seq"] for event in page.events()] == [*range(1, 3052)]


async def test_a_change_is_told_within_a_tenth_of_a_second(api: Api) -> None:
    """The median of some, at moments that no interval explains.

    On a busy machine the page waits for as much as a request of the list does, which is timed
    beside it: what is told takes several such turns.
    """
    told, asked = [], []
    async with looking(api, {"list": "metadata.live=e"}) as page:
        await eventually(lambda: "runs" in page.kinds())
        for number in range(CHANGES):
            await asyncio.sleep(0.15 + 0.037 * number)
            run = await queued(api, metadata={"live": "e"})
            began = time.monotonic()
            await eventually(lambda run=run: run in page.runs)  # type: ignore[misc]
            told.append(time.monotonic() - began)
            began = time.monotonic()
            await api.http.get("/v1/runs", params={"metadata.live": "e"})
            asked.append(time.monotonic() - began)
    assert median(told) < 0.1 + TURNS * median(asked), (told, asked)


class Counting:
    """A storage that counts the questions about rows."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in {
            "listed",
            "list_runs",
            "count_runs",
            "sum_runs",
            "changed_runs",
            "note_attention",
        }:
            self.asked[name] += 1
        return found


async def silent(counting: Counting) -> None:
    """Return once the table was not read for a while; a table that is silent is not.

    A page rests four times as long as its reading took, which may be long on a busy machine.
    """
    async with asyncio.timeout(60):
        before = None
        while counting.asked != before:
            before = Counter(counting.asked)
            await asyncio.sleep(1)


@pytest.mark.slow
async def test_nothing_is_read_when_nobody_looks_and_once_for_all_who_do(
    journal: Storage, no_temporal: Client
) -> None:
    counting: Any = Counting(journal)
    async with serving(Settings(), counting, no_temporal) as api:
        await queued(api, metadata={"live": "f"})
        assert not counting.asked
        params = {"list": "metadata.live=f", "inbox": "true"}
        async with looking(api, params) as one, looking(api, params) as two:
            await eventually(lambda: {"runs", "inbox"} <= one.kinds() & two.kinds())
            await silent(counting)
            before = Counter(counting.asked)
            run = run_id()
            await api.journal.append(run, [started(metadata={"live": "f"}), *asks()])
            await eventually(lambda: run in one.runs and run in two.runs)
            await silent(counting)
            told = counting.asked - before
            assert told["list_runs"] <= 2 + told["changed_runs"]
            assert told["count_runs"] <= 2
            await api.journal.append(run, deltas(200))
            await silent(counting)
        await api.quiet()
        await silent(counting)
        before = Counter(counting.asked)
        await api.journal.append(run, [completed()])
        await queued(api, metadata={"live": "f"})
        await asyncio.sleep(0.3)
        assert counting.asked == before


@pytest.mark.slow
async def test_a_page_outlives_a_journal_that_is_away(
    journal: Storage, no_temporal: Client
) -> None:
    flaky = FlakyJournal(journal)
    async with (
        serving(Settings(), flaky, no_temporal) as api,
        looking(api, {"list": "metadata.live=g"}) as page,
    ):
        await eventually(lambda: "runs" in page.kinds())
        flaky.go_down()
        run = run_id()
        await journal.append(run, [started(metadata={"live": "g"})])
        await asyncio.sleep(0.3)
        assert run not in page.runs
        flaky.come_back()
        await eventually(lambda: run in page.runs)


async def test_a_rewound_run_comes_back_to_the_list_of_open_ones(api: Api) -> None:
    run = await queued(api, metadata={"live": "h"})
    await api.journal.append(run, [started(), completed()])
    async with looking(api, {"list": "metadata.live=h&open=true"}) as page:
        await eventually(lambda: "runs" in page.kinds())
        assert not page.runs
        rewound = RunRewound(to_seq=2, epoch=1)
        await api.journal.append(run, [NewEvent(key="rewound/x/1", body=rewound)])
        await eventually(lambda: run in page.runs)
    assert (await api.journal.list_runs(EVERY, RunFilter(metadata={"live": "h"}), 5))[0]


async def test_a_stopping_server_ends_live_pages(journal: Storage, no_temporal: Client) -> None:
    async with (
        serving(Settings(), journal, no_temporal) as api,
        api.http.stream("GET", "/v1/live", params={"list": ""}) as answer,
    ):
        closing = asyncio.create_task(api.services.close_streams())
        text = "".join([piece async for piece in answer.aiter_text()])
        await closing
    assert text.rstrip().rpartition("\n")[2].startswith("retry: ")


@pytest.mark.parametrize(
    ("params", "headers", "status", "field"),
    [
        ({"list": "status=asleep"}, {}, 422, "list.status"),
        ({"list": "colour=red"}, {}, 422, "list.colour"),
        ({"list": "agent=a&agent=b"}, {}, 422, "list.agent"),
        ({"list": "limit=101"}, {}, 422, "list.limit"),
        ({"list": "q=a+b+c+d+e+f+g+h+i"}, {}, 422, "list.q"),
        ({"list": "metadata.=x"}, {}, 422, "list.metadata."),
        ({"list": "created_after=now"}, {}, 422, "list.created_after"),
        ({"inbox": "perhaps"}, {}, 422, "inbox"),
        ({"run": [f"run_{n:032x}" for n in range(5)]}, {}, 422, "run"),
        ({"run": [f"run_{1:032x}", f"run_{1:032x}:3"]}, {}, 422, "run"),
        ({"run": f"run_{1:032x}:x"}, {}, 400, "run"),
        ({"run": f"run_{1:032x}"}, {"Last-Event-ID": "7"}, 400, "Last-Event-ID"),
        ({"status": "running"}, {}, 422, "status"),
    ],
)
async def test_a_bad_request_for_a_page_names_what_is_wrong(
    lonely_api: Api, params: dict[str, Any], headers: dict[str, str], status: int, field: str
) -> None:
    answer = await lonely_api.http.get("/v1/live", params=params, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    await lonely_api.quiet()


async def test_a_page_of_an_unknown_run_or_of_one_ahead_is_refused(api: Api) -> None:
    answer = await api.http.get("/v1/live", params={"run": run_id()})
    assert (answer.status_code, answer.json()["type"][-11:]) == (404, "unknown-run")
    answer = await api.http.get("/v1/live", params={"run": "me"})
    assert answer.status_code == 404
    run = await queued(api)
    answer = await api.http.get("/v1/live", params={"run": f"{run}:9"})
    assert (answer.status_code, answer.json()["type"][-12:]) == (400, "cursor-ahead")
    await api.quiet()
