"""The inbox: all that waits for a person, most urgent first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    InputRequested,
    MessageCompleted,
    RunPaused,
    RunResumed,
)
from relayline.contracts.keys import message_key, requested_key, resolved_key
from tests.api.asking import APPROVAL, PARAMETERS, QUESTION, asks
from tests.api.serving import Api, completed, started
from tests.api.test_runs import submitted

SOON = datetime(2030, 1, 1, tzinfo=UTC)


def approval(
    id_: str = APPROVAL, expires_at: datetime | None = None, tool: str = "write_file"
) -> NewEvent:
    body = ApprovalRequested(approval_id=id_, call_id="call_1_0", tool=tool, expires_at=expires_at)
    return NewEvent(key=requested_key(id_), step=1, body=body)


def question(id_: str = QUESTION, expires_at: datetime | None = None) -> NewEvent:
    body = InputRequested(request_id=id_, question="which?", expires_at=expires_at)
    return NewEvent(key=requested_key(id_), step=1, body=body)


async def asking(api: Api, *events: NewEvent, agent: str = "assistant") -> str:
    """A run that has begun, with these facts."""
    run = await submitted(api, agent=agent, input="ask me")
    await api.journal.append(run, [started(), *events])
    return run


async def inbox(api: Api, **params: Any) -> dict[str, Any]:
    answer = await api.http.get("/v1/inbox", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def of(api: Api, *runs: str, **params: Any) -> list[dict[str, Any]]:
    """The items of these runs, in the order of the inbox."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await inbox(api, **{"limit": 100, **params, **more})
        items += page["items"]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert len({item["item_id"] for item in items}) == len(items)
    return [item for item in items if item["run_id"] in runs]


async def test_an_item_has_all_that_a_person_needs_to_decide(api: Api) -> None:
    said = MessageCompleted(text="I will write a file.", finish_reason="tool_calls")
    answer = NewEvent(key=message_key(0, 1), step=1, body=said)
    run = await asking(api, answer, *asks(schema={"type": "string"}, call_id="call_1_1"))
    decide, reply = await of(api, run)
    assert (decide["kind"], decide["id"], decide["tool"]) == ("approval", APPROVAL, "write_file")
    assert (decide["arguments"], decide["parameters"]) == ({"path": "a.txt"}, PARAMETERS)
    assert (decide["effects"], decide["why"]) == ("unsafe", {"required": ["path"]})
    assert (reply["effects"], reply["why"]) == (None, None)
    assert decide["expires_at"] == "2026-03-01T12:00:00Z"
    assert (decide["title"], decide["agent"], decide["step"]) == ("ask me", "assistant", 1)
    assert decide["said"] == "I will write a file."
    assert decide["item_id"] == f"{run}/{APPROVAL}"
    assert decide["links"]["self"] == f"/v1/runs/{run}"
    assert (reply["kind"], reply["id"], reply["question"]) == ("input", QUESTION, "which one?")
    assert reply["schema"] == {"type": "string"}
    assert (reply["expires_at"], reply["arguments"]) == (None, None)
    page = (await api.http.get(f"/v1/runs/{run}/events")).json()
    at = {event["type"]: event["at"] for event in page["events"]}
    told = (decide["since"], reply["since"])
    assert [datetime.fromisoformat(since) for since in told] == [
        datetime.fromisoformat(at[f"{kind}.requested"]) for kind in ("approval", "input")
    ]


async def test_an_item_names_the_mcp_server_whose_tool_it_is(api: Api) -> None:
    decision = ApprovalRequested(
        approval_id=APPROVAL, call_id="call_1_0", tool="notes_add", server="notes"
    )
    asked = InputRequested(request_id=QUESTION, question="which?", server="shop")
    facts = [
        NewEvent(key=requested_key(APPROVAL), step=1, body=decision),
        NewEvent(key=requested_key(QUESTION), step=1, body=asked),
    ]
    run = await asking(api, *facts)
    other = await asking(api, approval(), question())
    assert [item["server"] for item in await of(api, run)] == ["notes", "shop"]
    assert [item["server"] for item in await of(api, other)] == [None, None]


async def test_what_expires_first_comes_first_then_what_waits_longest(api: Api) -> None:
    hour = timedelta(hours=1)
    patient = await asking(api, question())
    late = await asking(api, approval(expires_at=SOON + hour))
    early = await asking(api, question(expires_at=SOON))
    paused = await asking(api, NewEvent(key="0/p", body=RunPaused()))
    runs = (patient, late, early, paused)
    for limit in (1, 2, 100):
        found = await of(api, *runs, limit=limit)
        assert [item["run_id"] for item in found] == [early, late, patient, paused]
    assert [item["kind"] for item in found] == ["input", "approval", "input", "resume"]
    assert (found[3]["id"], found[3]["item_id"]) == (None, f"{paused}/resume")


async def test_what_is_decided_resumed_or_over_waits_no_more(api: Api) -> None:
    decided = await asking(api, approval(), question())
    resumed = await asking(api, NewEvent(key="0/p", body=RunPaused()), approval())
    over = await asking(api, approval())
    assert len(await of(api, decided, resumed, over)) == 5
    verdict = ApprovalResolved(approval_id=APPROVAL, decision="deny", at=SOON)
    await api.journal.append(decided, [NewEvent(key=resolved_key(APPROVAL), body=verdict)])
    await api.journal.append(resumed, [NewEvent(key="0/r", body=RunResumed())])
    await api.journal.append(over, [completed()])
    found = await of(api, decided, resumed, over)
    assert [(item["run_id"], item["kind"]) for item in found] == [
        (decided, "input"),
        (resumed, "approval"),
    ]


async def test_the_inbox_is_filtered_by_kind_and_agent(api: Api) -> None:
    raises = await asking(api, approval("approval_budget_1", tool="raise_limit"), agent="brief")
    asked = await asking(api, question(), agent="brief")
    runs = (raises, asked)
    assert [item["kind"] for item in await of(api, *runs)] == ["limit", "input"]
    assert [item["run_id"] for item in await of(api, *runs, kind="limit")] == [raises]
    assert [item["run_id"] for item in await of(api, *runs, kind=["input", "limit"])] == [*runs]
    assert await of(api, *runs, kind="resume") == []
    assert await of(api, *runs, agent="assistant") == []
    both = await inbox(api, agent="brief", limit=0)
    assert both == {"items": [], "total": both["total"], "cursor": None}
    assert both["total"] >= 2


async def test_a_run_that_makes_no_progress_is_in_the_inbox(api: Api) -> None:
    run = await asking(api)
    await api.journal.note_attention({run: "no worker"})
    [item] = await of(api, run, kind="attention")
    assert (item["what"], item["id"]) == ("no worker", None)
    await api.journal.note_attention({run: None})
    assert await of(api, run) == []


async def test_the_inbox_needs_no_temporal(api: Api, lonely_api: Api) -> None:
    run = await asking(api, question())
    assert [item["question"] for item in await of(lonely_api, run)] == ["which?"]


@pytest.mark.parametrize(
    ("params", "status", "field"),
    [
        ({"kind": "letter"}, 422, "kind"),
        ({"agent": "a b"}, 422, "agent"),
        ({"limit": "101"}, 422, "limit"),
        ({"cursor": "nope"}, 400, "cursor"),
        ({"status": "waiting"}, 422, "status"),
    ],
)
async def test_a_bad_request_for_the_inbox_names_what_is_wrong(
    lonely_api: Api, params: dict[str, str], status: int, field: str
) -> None:
    answer = await lonely_api.http.get("/v1/inbox", params=params)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
