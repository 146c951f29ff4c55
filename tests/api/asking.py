"""Runs that ask a person, and what a person sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ApprovalRequested, InputRequested
from relayline.contracts.keys import requested_key
from tests.api.serving import Api, started
from tests.api.test_commands import submitted

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
APPROVAL, QUESTION = "approval_1_0", "input_1_0"
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "lines": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["path"],
    "additionalProperties": False,
}


def asks(**fields: Any) -> list[NewEvent]:
    """An approval and a question, both open."""
    approval = ApprovalRequested(
        approval_id=APPROVAL,
        call_id="call_1_0",
        tool="write_file",
        arguments={"path": "a.txt"},
        expires_at=NOON,
        parameters=PARAMETERS,
        effects="unsafe",
        why={"required": ["path"]},
    )
    question = InputRequested(request_id=QUESTION, question="which one?", **fields)
    return [
        NewEvent(key=requested_key(APPROVAL), step=1, body=approval),
        NewEvent(key=requested_key(QUESTION), step=1, body=question),
    ]


async def asking_run(api: Api, **fields: Any) -> str:
    run = await submitted(api)
    await api.journal.append(run, [started(), *asks(**fields)])
    return run


async def decided(api: Api, run: str, approval: str = APPROVAL, **body: Any) -> httpx.Response:
    body = {"decision": "approve", **body}
    return await api.http.post(f"/v1/runs/{run}/approvals/{approval}", json=body)


async def answered(
    api: Api, run: str, request: str = QUESTION, text: str = "this", **body: Any
) -> httpx.Response:
    body = {"request_id": request, "text": text, **body}
    return await api.http.post(f"/v1/runs/{run}/answer", json=body)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the problem's name."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:relayline:problem:")
