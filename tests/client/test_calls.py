"""Calls over real HTTP: what is sent, what the answers become, what the errors say."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from relayline.client import (
    ApiError,
    AsyncClient,
    Client,
    Conflict,
    Denied,
    Expired,
    InvalidArgument,
    InvalidRequest,
    NotFound,
    RateLimited,
    RelaylineError,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from relayline.contracts.commands import Cancel
from relayline.contracts.runs import Limits, ModelSettings, RunStatus
from tests.client.both import Caller
from tests.client.stand_in import RUN, Refuse, StandIn
from tests.client.test_stream import speak


async def test_a_submission_carries_its_fields_and_its_key(stand_in: StandIn, both: Caller) -> None:
    async with both.open(stand_in.url, headers={"X-Team": "a"}) as client:
        run = await both.call(
            client.submit,
            "assistant",
            "hi",
            model="local",
            limits=Limits(max_steps=3),
            settings=ModelSettings(temperature=0),
            metadata={"ticket": "7"},
            idempotency_key="k",
        )
        await both.call(client.submit, "assistant", "hi", limits={"max_tokens": 9})
        await both.call(client.submit, "assistant", "hi", settings={"seed": None})
    method, path, headers, body = stand_in.requests[0]
    assert (method, path) == ("POST", "/v1/runs")
    assert body == {
        "agent": "assistant",
        "input": "hi",
        "model": "local",
        "limits": {"max_steps": 3},
        "settings": {"temperature": 0},
        "metadata": {"ticket": "7"},
    }
    assert (headers["idempotency-key"], headers["x-team"]) == ("k", "a")
    assert stand_in.requests[1][3]["limits"] == {"max_tokens": 9}
    assert stand_in.requests[2][3]["settings"] == {"seed": None}
    assert (run.id, run.accepted.status) == (RUN, RunStatus.QUEUED)


async def test_a_submission_says_when_it_starts_and_what_place_it_has(
    stand_in: StandIn, both: Caller
) -> None:
    at = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    async with both.open(stand_in.url) as client:
        await both.call(
            client.submit, "assistant", "hi", priority=1, fairness_key="team-7", start_at=at
        )
        stand_in.add("run.completed", 1)
        await both.call(client.submit_and_stream, "assistant", "hi", priority=5, delay_s=0.5)
        with pytest.raises(InvalidArgument, match=r"start_at: .* has no time zone"):
            await both.call(client.submit, "assistant", "hi", start_at=at.replace(tzinfo=None))
        with pytest.raises(TypeError, match="a run has no field 'prioritty'"):
            await both.call(client.submit, "assistant", "hi", prioritty=1)
    bodies = [body for _, _, _, body in stand_in.requests]
    spoken = {"agent": "assistant", "input": "hi"}
    assert bodies == [
        {
            **spoken,
            "priority": 1,
            "fairness_key": "team-7",
            "start_at": "2030-01-02T03:04:00+00:00",
        },
        {**spoken, "priority": 5, "delay_s": 0.5},
    ]


async def test_runs_and_lists_are_read(stand_in: StandIn, both: Caller) -> None:
    async with both.open(stand_in.url) as client:
        run = await both.call(client.run(RUN).get, wait_s=3)
        listed = await both.call(client.list, status=RunStatus.COMPLETED, limit=5)
        items = [item async for item in both.items(client.runs(agent="assistant"))]
    assert run.status is RunStatus.COMPLETED
    assert [item.run_id for item in listed.runs] == [item.run_id for item in items] == [RUN]
    assert [request[1] for request in stand_in.requests] == [
        f"/v1/runs/{RUN}?wait=3",
        "/v1/runs?status=completed&limit=5",
        "/v1/runs?agent=assistant&limit=100",
    ]


async def test_filters_are_sent_as_the_protocol_has_them(stand_in: StandIn, both: Caller) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    async with both.open(stand_in.url) as client:
        await both.call(
            client.list,
            status=["running", RunStatus.WAITING],
            metadata={"team": "a b", "tenant": "x"},
            q="two words",
            created_after=noon,
            open=True,
            attention=None,
        )
        with pytest.raises(InvalidArgument, match="time zone"):
            await both.call(client.list, created_before=datetime(2026, 3, 1))  # noqa: DTZ001
    assert parse_qsl(stand_in.requests[0][1].partition("?")[2]) == [
        ("status", "running"),
        ("status", "waiting"),
        ("metadata.team", "a b"),
        ("metadata.tenant", "x"),
        ("q", "two words"),
        ("created_after", "2026-03-01T12:00:00+00:00"),
        ("open", "true"),
        ("limit", "20"),
    ]
    assert len(stand_in.requests) == 1


async def test_progress_is_read(stand_in: StandIn, both: Caller) -> None:
    stand_in.progress["waiting_for"] = [{"kind": "approval", "id": "a1"}]
    async with both.open(stand_in.url) as client:
        progress = await both.call(client.run(RUN).progress)
    assert (progress.source, progress.waiting_for[0].id) == ("query", "a1")


async def test_events_are_read_page_by_page(stand_in: StandIn, both: Caller) -> None:
    speak(stand_in, words=1)
    async with both.open(stand_in.url) as client:
        events = [event async for event in both.items(client.run(RUN).events(after=0))]
    assert [event.seq for event in events] == [1, 2, 3]
    assert stand_in.requests[0][1] == f"/v1/runs/{RUN}/events?after=0&limit=1000"


async def test_a_command_has_a_receipt_and_an_outcome(stand_in: StandIn, both: Caller) -> None:
    async with both.open(stand_in.url) as client:
        run = client.run(RUN)
        receipt = await both.call(run.send, Cancel(reason="enough"))
        view = await both.call(run.command, receipt.command_id, wait_s=2)
    assert [request[1] for request in stand_in.requests] == [
        f"/v1/runs/{RUN}/cancel",
        f"/v1/runs/{RUN}/commands/cmd_1?wait=2",
    ]
    assert stand_in.requests[0][3] == {"reason": "enough", "by": ""}
    assert (view.state, view.step, view.applied) == ("applied", 2, "did it")


async def test_every_command_goes_to_its_path(stand_in: StandIn, both: Caller) -> None:
    async with both.open(stand_in.url) as client:
        run = client.run(RUN)
        await both.call(run.pause, now=True, by="ann")
        await both.call(run.resume)
        await both.call(run.redirect, "shorter", now=False)
        await both.call(run.cancel, "enough")
        await both.call(run.approve, "a1", arguments={"n": None}, note="ok")
        await both.call(run.deny, "a1", note="no")
        await both.call(run.answer, "q1", "red", command_id="mine")
    nobody = {"by": ""}
    decided = {"note": "ok", "decision": "approve", "arguments": {"n": None}}
    assert [(path.partition(f"{RUN}/")[2], body) for _, path, _, body in stand_in.requests] == [
        ("pause", {"now": True, "by": "ann"}),
        ("resume", nobody),
        ("redirect", {"message": "shorter", "now": False, **nobody}),
        ("cancel", {"reason": "enough", **nobody}),
        ("approvals/a1", {**decided, **nobody}),
        ("approvals/a1", {"decision": "deny", "note": "no", **nobody}),
        ("answer", {"request_id": "q1", "text": "red", "command_id": "mine", **nobody}),
    ]


async def test_a_server_that_is_not_ready_is_no_error(stand_in: StandIn, both: Caller) -> None:
    unready = {"status": "unavailable", "parts": {"temporal": "does not answer"}}
    stand_in.problem = JSONResponse(unready, 503)
    async with both.open(stand_in.url) as client:
        assert (await both.call(client.ready)).parts == {"temporal": "does not answer"}
        with pytest.raises(Unavailable):
            await both.call(client.health)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, InvalidRequest, False),
        (401, Denied, False),
        (403, Denied, False),
        (404, NotFound, False),
        (409, Conflict, False),
        (410, Expired, False),
        (413, InvalidRequest, False),
        (422, InvalidRequest, False),
        (429, RateLimited, True),
        (500, ApiError, True),
        (503, Unavailable, True),
    ],
)
async def test_a_problem_document_becomes_an_error_of_its_kind(
    stand_in: StandIn, both: Caller, status: int, kind: type[ApiError], retryable: bool
) -> None:
    detail = "limits.max_steps: must be 1 or more"
    stand_in.problem = Refuse(status, "invalid-field", detail, {"Retry-After": "2"})
    async with both.open(stand_in.url) as client:
        with pytest.raises(kind) as caught:
            await both.call(client.submit, "assistant", "hi")
    error = caught.value
    assert type(error) is kind
    assert (str(error), error.detail, error.status) == (detail, detail, status)
    assert (error.type, error.title) == ("invalid-field", "No")
    assert (error.retryable, error.retry_after_s) == (retryable, 2)
    assert error.field is None


async def test_the_field_that_is_wrong_is_named(stand_in: StandIn, both: Caller) -> None:
    problem = {"type": "urn:relayline:problem:invalid-field", "detail": "no", "field": "agent"}
    stand_in.problem = JSONResponse(problem, 422)
    async with both.open(stand_in.url) as client:
        with pytest.raises(InvalidRequest) as caught:
            await both.call(client.submit, "nobody", "hi")
    assert caught.value.field == "agent"
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (PlainTextResponse("oops", 502), ApiError),
        (Response(status_code=404), UnexpectedAnswer),
        (PlainTextResponse("ok"), UnexpectedAnswer),
    ],
)
async def test_an_answer_of_something_else_says_so(
    stand_in: StandIn, both: Caller, answer: Response, kind: type[RelaylineError]
) -> None:
    stand_in.problem = answer
    async with both.open(stand_in.url) as client:
        with pytest.raises(kind, match="is that a Relayline API"):
            await both.call(client.run(RUN).get)


async def test_no_server_is_an_error_that_names_the_address(both: Caller) -> None:
    async with both.open("http://127.0.0.1:1") as client:
        with pytest.raises(Unreachable, match=r"no API answers at http://127\.0\.0\.1:1"):
            await both.call(client.run(RUN).get)


@pytest.mark.parametrize("address", ["localhost", "ftp://x", "http://", "http://[::", ""])
@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_an_address_that_is_none_is_refused_at_once(
    address: str, make: type[Client] | type[AsyncClient]
) -> None:
    with pytest.raises(InvalidArgument, match="no address of an API"):
        make(address)


async def test_what_json_cannot_hold_is_refused_before_it_is_sent(both: Caller) -> None:
    async with both.open("http://127.0.0.1:1") as client:
        with pytest.raises(InvalidArgument, match="can't be sent: 'utf-8'"):
            await both.call(client.submit, "assistant", "\udcff")


async def test_an_id_cannot_lead_to_another_path(stand_in: StandIn, both: Caller) -> None:
    async with both.open(stand_in.url) as client:
        await both.call(client.run("../agents?x=1#y").get)
    assert stand_in.requests[0][1].startswith("/v1/runs/")
