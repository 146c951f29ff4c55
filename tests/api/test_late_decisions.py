"""Decisions and answers that come too late, twice, or for nothing that was asked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client

from relayline.contracts.commands import CommandKind
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import ApprovalResolved, CommandAccepted, InputClosed, InputReceived
from relayline.contracts.keys import requested_key, resolved_key
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Tenant
from relayline.runtime.settings import Settings
from tests.api.asking import (
    APPROVAL,
    NOON,
    QUESTION,
    answered,
    asking_run,
    asks,
    decided,
    refusal,
)
from tests.api.flaky import FlakyJournal
from tests.api.serving import Api, completed, run_id, serving, signals, started


@pytest.mark.parametrize(
    ("decision", "by", "words"),
    [
        ("approve", "ann", "was approved by ann at 2026-03-01T12:00:00Z"),
        ("deny", "", "was denied at 2026-03-01T12:00:00Z"),
        ("expired", "", "has expired at 2026-03-01T12:00:00Z"),
        ("withdrawn", "bob", "was withdrawn by bob at 2026-03-01T12:00:00Z"),
    ],
)
async def test_a_late_decision_is_told_who_decided_what_and_when(
    api: Api, lonely_api: Api, decision: Any, by: str, words: str
) -> None:
    running, ended = run_id(), run_id()
    end = ApprovalResolved(approval_id=APPROVAL, decision=decision, by=by, at=NOON)
    facts = [started(), *asks(), NewEvent(key=resolved_key(APPROVAL), step=1, body=end)]
    await api.journal.append(running, facts)
    await api.journal.append(ended, [*facts, completed()])
    for server in (api, lonely_api):
        for run in (running, ended):
            answer = await decided(server, run)
            assert refusal(answer) == (409, "approval-resolved")
            problem = answer.json()
            assert (problem["decision"], problem["by"]) == (decision, by)
            assert problem["at"] == "2026-03-01T12:00:00Z"
            assert problem["detail"] == f"{APPROVAL} {words}"


@pytest.mark.parametrize(
    ("end", "how", "by"),
    [
        (InputReceived(request_id=QUESTION, text="that", by="ann"), "answered", "ann"),
        (InputClosed(request_id=QUESTION, reason="expired", at=NOON), "expired", ""),
        (
            InputClosed(request_id=QUESTION, reason="withdrawn", by="bob", at=NOON),
            "withdrawn",
            "bob",
        ),
    ],
    ids=["answered", "expired", "withdrawn"],
)
async def test_a_late_answer_is_told_how_the_question_ended(
    api: Api, end: InputReceived | InputClosed, how: str, by: str
) -> None:
    run = run_id()
    fact = NewEvent(key=resolved_key(QUESTION), step=1, body=end)
    await api.journal.append(run, [started(), *asks(), fact])
    answer = await answered(api, run)
    assert refusal(answer) == (409, "request-closed")
    problem = answer.json()
    assert (problem["how"], problem["by"]) == (how, by)
    at = datetime.fromisoformat(problem["at"])
    assert at == NOON if how != "answered" else abs(datetime.now(UTC) - at).seconds < 60
    assert problem["at"] in problem["detail"]
    assert by in problem["detail"]


async def test_what_was_never_asked_for_is_404(api: Api, lonely_api: Api) -> None:
    run, nowhere = await asking_run(api), run_id()
    calls = [
        decided(api, run, "approval_9_9"),
        decided(api, run, QUESTION),
        answered(api, run, "input_9_9"),
        answered(api, run, APPROVAL),
        decided(api, nowhere),
        answered(api, nowhere),
        decided(lonely_api, run, "approval_9_9"),
    ]
    assert [refusal(answer) for answer in await asyncio.gather(*calls)] == [
        (404, "unknown-approval"),
        (404, "unknown-approval"),
        (404, "unknown-request"),
        (404, "unknown-request"),
        (404, "unknown-run"),
        (404, "unknown-run"),
        (503, "temporal-unavailable"),
    ]


async def test_an_ended_run_takes_no_decision_and_no_answer(api: Api, api_temporal: Client) -> None:
    by_fact, by_temporal = await asking_run(api), await asking_run(api)
    await api.journal.append(by_fact, [completed()])
    await api_temporal.get_workflow_handle(by_temporal).terminate()
    for run, status in ((by_fact, "completed"), (by_temporal, "terminated")):
        for answer in (
            await decided(api, run),
            await decided(api, run, "approval_9_9"),
            await answered(api, run),
            await answered(api, run, "input_9_9"),
        ):
            assert refusal(answer) == (409, "run-ended")
            assert answer.json()["run_status"] == status
            assert status in answer.json()["detail"]


async def test_a_decision_that_was_taken_gets_its_receipt_again(
    api: Api, api_temporal: Client
) -> None:
    run = await asking_run(api)
    had = CommandAccepted(command_id="c1", kind=CommandKind.DECIDE)
    end = ApprovalResolved(approval_id=APPROVAL, decision="deny", by="ann", at=NOON)
    await api.journal.append(
        run,
        [
            NewEvent(key="command/c1/accepted", body=had),
            NewEvent(key=resolved_key(APPROVAL), step=1, body=end),
        ],
    )
    answer = await decided(api, run, decision="deny", command_id="c1")
    assert (answer.status_code, answer.json()) == (202, {"command_id": "c1"})
    assert refusal(await decided(api, run, command_id="c2")) == (409, "approval-resolved")
    assert await signals(api_temporal, run) == []


class JustDecided(FlakyJournal):
    """A journal in which a decision turns up while its repetition is being looked into."""

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        if key == requested_key(APPROVAL):
            had = CommandAccepted(command_id="c1", kind=CommandKind.DECIDE)
            end = ApprovalResolved(approval_id=APPROVAL, decision="approve", at=NOON)
            facts = (
                NewEvent(key="command/c1/accepted", body=had),
                NewEvent(key=resolved_key(APPROVAL), body=end),
            )
            await self.append(run_id, facts)
        return await super().get(tenant, run_id, key)


async def test_a_repeated_decision_that_the_run_takes_meanwhile_is_no_late_one(
    journal: SqliteJournal, api_temporal: Client
) -> None:
    async with serving(Settings(), JustDecided(journal), api_temporal) as api:
        for command, status in (("c1", 202), ("c2", 409)):
            run = run_id()
            await journal.append(run, [started(), *asks()])
            answer = await decided(api, run, command_id=command)
            assert answer.status_code == status, answer.text
