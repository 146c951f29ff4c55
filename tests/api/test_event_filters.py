"""Events without deltas, of some types, and backwards: what is left out costs no exactness."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client

from relayline.api.streams import buffer
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageCompleted, RunQueued, StepStarted, TurnCompleted
from relayline.contracts.keys import QUEUED_KEY, turn_key
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.runtime.settings import Settings
from tests.api.pages import looking
from tests.api.serving import (
    SSE,
    Api,
    completed,
    deltas,
    ended_run,
    envelopes,
    eventually,
    frames,
    run_id,
    serving,
    started,
)

DELTA = "message.delta"


def step(number: int) -> NewEvent:
    return NewEvent(key=f"0/step/{number}", step=number, body=StepStarted(model="m"))


def answer(number: int) -> NewEvent:
    body = MessageCompleted(text="whole", finish_reason="stop")
    return NewEvent(key=f"0/step/{number}/message", step=number, body=body)


async def two_steps(api: Api, open_deltas: int = 3) -> str:
    """A run whose first step has ended, and whose second has not."""
    run = run_id()
    first = [started(), step(1), *deltas(4), answer(1)]
    await api.journal.append(run, [*first, step(2), *deltas(open_deltas)])
    return run


async def page(api: Api, run: str, **params: Any) -> dict[str, Any]:
    found = await api.http.get(f"/v1/runs/{run}/events", params=params)
    assert found.status_code == 200, found.text
    body: dict[str, Any] = found.json()
    return body


def seqs(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


async def streamed(api: Api, run: str, after: int = 0, **params: Any) -> list[dict[str, Any]]:
    """All events of a stream that ends."""
    headers = {**SSE, "Last-Event-ID": str(after)}
    path = f"/v1/runs/{run}/events"
    async with api.http.stream("GET", path, params=params, headers=headers) as stream:
        assert stream.status_code == 200
        return [json.loads(data) async for _, _, data in frames(stream)]


async def test_deltas_of_settled_steps_are_left_out(api: Api) -> None:
    run = await two_steps(api)
    whole = await envelopes(api.journal, run)
    assert (await page(api, run, deltas="all"))["events"] == whole
    assert seqs((await page(api, run, deltas="open"))["events"]) == [1, 2, 7, 8, 9, 10, 11]
    assert seqs((await page(api, run, deltas="none"))["events"]) == [1, 2, 7, 8]
    await api.journal.append(run, [answer(2), completed()])
    assert seqs((await page(api, run, deltas="open"))["events"]) == [1, 2, 7, 8, 12, 13]
    assert seqs(await streamed(api, run, deltas="open")) == [1, 2, 7, 8, 12, 13]


async def test_types_select_and_an_empty_page_moves_the_cursor_past_what_was_left_out(
    api: Api,
) -> None:
    run = await two_steps(api)
    found = await page(api, run, types=["step.started", "message.completed"])
    assert (seqs(found["events"]), found["next"], found["ended"]) == ([2, 7, 8], 8, False)
    rest = await page(api, run, types="step.started", after=found["next"])
    assert (rest["events"], rest["next"], rest["ended"]) == ([], 11, False)
    await api.journal.append(run, [completed()])
    over = await page(api, run, types="step.started", after=rest["next"])
    assert (over["events"], over["next"], over["ended"]) == ([], 12, True)


async def test_pages_backwards_have_every_event_once(api: Api) -> None:
    run = await ended_run(api.journal, 20)
    whole = await envelopes(api.journal, run)
    got: list[dict[str, Any]] = []
    before: int | None = 10**17
    while before is not None:
        found = await page(api, run, before=before, limit=6)
        assert found["next"] == found["events"][-1]["seq"]
        assert found["ended"] == (not got)
        got = [*found["events"], *got]
        before = found["previous"]
    assert got == whole
    facts = await page(api, run, before=len(whole), limit=2, deltas="none")
    assert seqs(facts["events"]) == [it["seq"] for it in whole[:-1] if it["type"] != DELTA][-2:]
    nothing = await page(api, run, before=1)
    assert (nothing["events"], nothing["previous"], nothing["ended"]) == ([], None, False)


@pytest.mark.parametrize(
    ("params", "accept", "field"),
    [
        ({"deltas": "some"}, {}, "deltas"),
        ({"types": "run.flew"}, {}, "types"),
        ({"types": ["run.started", ""]}, {}, "types"),
        ({"types": DELTA, "deltas": "none"}, {}, "types"),
        ({"before": "0"}, {}, "before"),
        ({"before": "x"}, {}, "before"),
        ({"before": "9" * 30}, {}, "before"),
        ({"before": "5", "after": "1"}, {}, "before"),
        ({"before": "5"}, {"Last-Event-ID": "1"}, "before"),
        ({"before": "5"}, SSE, "before"),
    ],
)
async def test_what_can_not_be_answered_is_422_and_named(
    api: Api, params: dict[str, Any], accept: dict[str, str], field: str
) -> None:
    run = await two_steps(api)
    refused = await api.http.get(f"/v1/runs/{run}/events", params=params, headers=accept)
    assert refused.status_code == 422, refused.text
    assert refused.json()["field"] == field


@pytest.mark.parametrize("many", [3, 2 * buffer.MAX_FRAMES], ids=["buffered", "far-behind"])
async def test_a_filtered_stream_is_resumed_exactly_wherever_it_was_cut(
    journal: SqliteJournal, no_temporal: Client, many: int
) -> None:
    async with serving(Settings(), journal, no_temporal) as api:
        run = await two_steps(api, open_deltas=many)
        await api.journal.append(run, [answer(2), completed()])
        wanted: dict[str, Any] = {"deltas": "none", "types": ["step.started", "run.completed"]}
        whole = await streamed(api, run, **wanted)
        last = 11 + many - 3 + 2
        assert seqs(whole) == [2, 8, last]
        for cut in (0, 1, 2, 5, 8, last - 2):
            after = await streamed(api, run, cut, **wanted)
            assert seqs(after) == [seq for seq in (2, 8, last) if seq > cut]


async def test_a_stream_whose_types_end_before_the_run_does_is_204_then(api: Api) -> None:
    run = await two_steps(api)
    await api.journal.append(run, [answer(2), completed()])
    assert seqs(await streamed(api, run, types=["step.started"])) == [2, 8]
    over = await api.http.get(
        f"/v1/runs/{run}/events",
        params={"types": "step.started"},
        headers={**SSE, "Last-Event-ID": "8"},
    )
    assert (over.status_code, over.content) == (204, b"")


async def test_a_live_stream_has_what_comes_and_beats_while_it_leaves_all_out(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run = run_id()
    await journal.append(run, [started(), step(1)])
    got: list[int] = []
    async with serving(Settings(heartbeat_s=0.4), journal, no_temporal) as api:
        path, params = f"/v1/runs/{run}/events", {"deltas": "none"}
        async with api.http.stream("GET", path, params=params, headers=SSE) as stream:
            text, beats = "", 0
            async for piece in stream.aiter_text():
                text += piece
                beats = text.count("\n: \n") + text.count("\n:\n")
                if beats < 3:
                    await journal.append(run, deltas(1))
                elif "message.completed" not in text:
                    await journal.append(run, [answer(1), completed()])
            got = [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]
        newest = await journal.head(EVERY, run)
    assert newest is not None
    assert beats >= 3
    assert got == [1, 2, newest.last_seq - 1, newest.last_seq]


async def test_a_page_follows_its_runs_without_settled_deltas(api: Api) -> None:
    run = await two_steps(api)
    async with looking(api, {"run": run, "deltas": "open"}) as shown:
        await eventually(lambda: len(shown.events()) == 7)
        assert seqs(shown.events()) == [1, 2, 7, 8, 9, 10, 11]
        await api.journal.append(run, [*deltas(2), answer(2)])
        await eventually(lambda: len(shown.events()) == 10)
        newest = shown.newest_id
    assert newest == f"{run}:14"
    refused = await api.http.get("/v1/live", params={"run": run, "deltas": "few"})
    assert (refused.status_code, refused.json()["field"]) == (422, "deltas")


async def test_a_stream_of_a_turn_ends_with_it_whatever_is_left_out(api: Api) -> None:
    run = run_id()
    body = RunQueued(agent="assistant", model="m", submitted_at=datetime.now(UTC), open=True)
    queued = NewEvent(key=QUEUED_KEY, body=body)
    over = NewEvent(key=turn_key(0, 1), body=TurnCompleted(turn=1, status="completed"))
    await api.journal.append(run, [queued, started(), step(1), *deltas(4), answer(1), over])
    assert seqs(await streamed(api, run, until="turn", deltas="none")) == [1, 2, 3, 8, 9]
    assert seqs(await streamed(api, run, until="turn", types="step.started")) == [3]
    params, path = {"until": "turn", "types": "step.started"}, f"/v1/runs/{run}/events"
    seen = await api.http.get(path, params=params, headers={**SSE, "Last-Event-ID": "3"})
    assert seen.status_code == 204
