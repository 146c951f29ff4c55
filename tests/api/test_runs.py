"""Looking at runs: the right source at the right time, newest first in lists."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from temporalio.client import Client

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    EventBody,
    InputClosed,
    InputReceived,
    InputRequested,
    MessageCompleted,
    RunFailed,
    RunPaused,
    RunResumed,
    RunWaiting,
)
from relayline.contracts.keys import requested_key, resolved_key
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunError, Waiting
from relayline.journal.port import Head
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Tenant
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import (
    Api,
    completed,
    deltas,
    ended_run,
    envelopes,
    follow,
    run_id,
    said,
    serving,
    started,
)


async def submitted(api: Api, **fields: object) -> str:
    body = {"agent": "assistant", "input": "hello", **fields}
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["run_id"]
    return found


async def test_an_ended_run_is_read_from_its_terminal_fact_with_temporal_down(
    lonely_api: Api,
) -> None:
    run = run_id()
    await lonely_api.journal.append(
        run, [started(metadata={"k": "v"}), said("hello"), *deltas(5), completed("forty-two")]
    )
    begun = time.monotonic()
    view = (await lonely_api.http.get(f"/v1/runs/{run}")).json()
    assert time.monotonic() - begun < 1.8, "Temporal is not asked, which takes 2 s"
    assert view["status"] == "completed"
    assert view["output"] == "forty-two"
    assert view["usage"] == {"input_tokens": 3, "output_tokens": 4}
    assert view["step"] == 1
    assert view["agent"] == "assistant"
    assert view["metadata"] == {"k": "v"}
    assert view["created_at"] <= view["ended_at"]
    assert view["source"] == "journal"
    assert view["error"] is None
    assert view["waiting_for"] == []
    assert view["links"]["temporal_ui"] is None


@pytest.mark.usefixtures("working")
async def test_a_run_was_created_when_it_was_submitted_wherever_that_is_read(api: Api) -> None:
    run = await submitted(api, input='{"rehearse": [{"say": "x"}]}')
    listed = (await api.http.get("/v1/runs", params={"limit": 1})).json()["runs"]
    ended = (await api.http.get(f"/v1/runs/{run}", params={"wait": 60})).json()
    assert (ended["source"], ended["status"]) == ("journal", "completed")
    events = (await api.http.get(f"/v1/runs/{run}/events")).json()["events"]
    assert ended["created_at"] == events[0]["data"]["submitted_at"] < events[0]["at"]
    assert [it["created_at"] for it in listed if it["run_id"] == run] in ([], [ended["created_at"]])


async def test_a_failed_run_says_why(api: Api) -> None:
    run = run_id()
    error = RunError(type="budget-exceeded", message="max_steps is 3", step=3)
    await api.journal.append(
        run, [started(), NewEvent(key="0/run/ended", step=3, body=RunFailed(error=error))]
    )
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert view["status"] == "failed"
    assert view["error"] == error.model_dump()
    assert view["output"] is None


async def test_a_running_run_is_told_from_its_facts_while_temporal_is_down(
    lonely_api: Api,
) -> None:
    run = run_id()
    message = MessageCompleted(
        text="x", finish_reason="stop", usage=Usage(input_tokens=5, output_tokens=6)
    )
    await lonely_api.journal.append(
        run,
        [
            started(),
            said("hello"),
            NewEvent(key="0/step/1/message", step=1, body=message),
            NewEvent(key="0/command/c/pause", step=1, body=RunPaused()),
        ],
    )
    view = (await lonely_api.http.get(f"/v1/runs/{run}")).json()
    assert view["source"] == "journal"
    assert view["status"] == "paused"
    assert view["waiting_for"][0]["kind"] == "resume"
    assert view["usage"] == {"input_tokens": 5, "output_tokens": 6}
    assert view["step"] == 1


async def test_what_a_run_waits_for_is_told_from_its_facts_while_temporal_is_down(
    lonely_api: Api,
) -> None:
    run, noon = run_id(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    approval = ApprovalRequested(
        approval_id="approval_1_0", call_id="call_1_0", tool="write_file", expires_at=noon
    )
    first = InputRequested(request_id="input_1_1", question="which\n one? " * 40)
    second = InputRequested(request_id="input_1_2", question="and then?")
    told = Waiting(kind="approval", id="approval_1_0", what="write_file(path=a.txt)")

    async def after(*facts: NewEvent) -> tuple[str, list[str | None]]:
        await lonely_api.journal.append(run, facts)
        view = (await lonely_api.http.get(f"/v1/runs/{run}")).json()
        assert all(len(item["what"]) <= 200 and item["what"] for item in view["waiting_for"])
        return view["status"], [item["id"] or item["kind"] for item in view["waiting_for"]]

    def fact(key: str, body: EventBody) -> NewEvent:
        return NewEvent(key=key, step=1, body=body)

    assert await after(started()) == ("running", [])
    assert await after(
        fact(requested_key("approval_1_0"), approval),
        fact(requested_key("input_1_1"), first),
        fact(requested_key("input_1_2"), second),
        fact("0/waiting/1", RunWaiting(waiting_for=(told,))),
    ) == ("waiting", ["approval_1_0", "input_1_1", "input_1_2"])
    view = (await lonely_api.http.get(f"/v1/runs/{run}")).json()
    assert view["waiting_for"][0] == told.model_dump()
    answered = InputReceived(request_id="input_1_1", text="this one")
    assert await after(
        fact("0/command/a/pause", RunPaused()), fact(resolved_key("input_1_1"), answered)
    ) == ("paused", ["resume", "approval_1_0", "input_1_2"])
    resolved = ApprovalResolved(approval_id="approval_1_0", decision="approve", at=noon)
    assert await after(
        fact("0/command/b/resume", RunResumed()), fact(resolved_key("approval_1_0"), resolved)
    ) == ("waiting", ["input_1_2"])
    closed = InputClosed(request_id="input_1_2", reason="expired", at=noon)
    assert await after(fact(resolved_key("input_1_2"), closed)) == ("running", [])
    assert await after(completed()) == ("completed", [])


async def test_an_unknown_run_is_404_or_503_when_nobody_can_tell(api: Api, lonely_api: Api) -> None:
    for run in (run_id(), "run_x", "what"):
        assert (await api.http.get(f"/v1/runs/{run}")).status_code == 404
    answer = await lonely_api.http.get(f"/v1/runs/{run_id()}")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_a_run_that_was_terminated_in_temporal_says_so(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api)
    await api_temporal.get_workflow_handle(run).terminate("enough")
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert view["status"] == "terminated"
    assert view["ended_at"]


async def test_waiting_ends_with_the_run(api: Api) -> None:
    run = await submitted(api)
    waiting = asyncio.create_task(api.http.get(f"/v1/runs/{run}", params={"wait": 30}))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    begun = time.monotonic()
    await api.journal.append(run, [started(), completed("at last")])
    view = (await waiting).json()
    assert time.monotonic() - begun < 3
    assert (view["status"], view["output"]) == ("completed", "at last")
    await api.quiet()


class EndedMeanwhile(FlakyJournal):
    """A run ends just before its bounds are asked for the second time."""

    asked = 0

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        """As in `FlakyJournal`."""
        self.asked += 1
        if self.asked == 2:
            await self.append(run_id, [started(), completed()])
        return await super().head(tenant, run_id)


async def test_a_run_that_ends_while_waiting_begins_is_shown_as_ended(
    api: Api, api_temporal: Client, journal: SqliteJournal
) -> None:
    run = await submitted(api)
    async with serving(Settings(), EndedMeanwhile(journal), api_temporal) as other:
        view = (await other.http.get(f"/v1/runs/{run}", params={"wait": 30})).json()
    assert view["status"] == "completed"


async def test_waiting_is_bounded_and_an_ended_run_answers_at_once(api: Api) -> None:
    run = await submitted(api)
    begun = time.monotonic()
    view = (await api.http.get(f"/v1/runs/{run}", params={"wait": 0.3})).json()
    assert view["status"] == "queued"
    assert 0.3 <= time.monotonic() - begun < 5
    ended = await ended_run(api.journal)
    begun = time.monotonic()
    await api.http.get(f"/v1/runs/{ended}", params={"wait": 30})
    assert time.monotonic() - begun < 3
    for wait in ("61", "-1", "x"):
        answer = await api.http.get(f"/v1/runs/{run}", params={"wait": wait})
        assert (answer.status_code, answer.json()["field"]) == (422, "wait")


async def test_a_waiting_client_that_goes_away_leaves_nothing_behind(api: Api) -> None:
    run = await submitted(api)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await api.http.get(f"/v1/runs/{run}", params={"wait": 30})
    await api.quiet()


async def test_another_server_knows_a_run_before_a_worker_has_begun_it(
    api: Api, api_temporal: Client, journal: SqliteJournal
) -> None:
    async with serving(Settings(), journal, api_temporal) as other:
        run = await submitted(api)
        path = f"/v1/runs/{run}"
        assert (await other.http.get(path)).json()["status"] == "queued"
        page = (await other.http.get(f"{path}/events")).json()
        assert [event["type"] for event in page.pop("events")] == ["run.queued"]
        assert page == {"next": 1, "previous": None, "ended": False}
        following = asyncio.create_task(follow(other, run))
        ending = asyncio.create_task(other.http.get(path, params={"wait": 30}))
        await other.opened(1)
        await journal.append(run, [started(), said("hello"), completed()])
        assert await following == await envelopes(journal, run)
        assert (await ending).json()["status"] == "completed"
