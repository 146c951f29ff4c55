"""Runs as tasks of MCP: the extension `io.modelcontextprotocol/tasks` (SEP-2663).

A task's id is the run's, and nothing is kept here: any process answers, also after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mcp_types import RequestParams
from pydantic import Field, JsonValue

from relayline.client import AsyncClient, Conflict
from relayline.contracts.answers import RunView
from relayline.contracts.runs import RunStatus, Waiting
from relayline.mcp_server.run_tools import outcome

EXTENSION = "io.modelcontextprotocol/tasks"
POLL_MS = 500
DECLINED = "I will not answer that."
"""The answer of a person who declines to give one."""
_ENDED = {RunStatus.COMPLETED: "completed", RunStatus.CANCELLED: "cancelled"}
_ACCEPT, _DECLINE = "accept", "decline"


class TaskParams(RequestParams):
    """Of `tasks/get` and `tasks/cancel`."""

    task_id: str = Field(alias="taskId")


class UpdateParams(TaskParams):
    """Of `tasks/update`."""

    input_responses: dict[str, Any] = Field(alias="inputResponses")


def task_of(view: RunView) -> dict[str, JsonValue]:
    """The run as a task, without what came of it."""
    now = datetime.now(UTC)
    task: dict[str, JsonValue] = {
        "taskId": view.run_id,
        "status": _status(view),
        "createdAt": (view.created_at or now).isoformat(),
        "lastUpdatedAt": (view.ended_at or now).isoformat(),
        "ttlMs": None,
        "pollIntervalMs": POLL_MS,
    }
    if view.attention:
        task["statusMessage"] = view.attention
    return task


def created(run_id: str) -> dict[str, JsonValue]:
    """The answer to a call that became a run."""
    now = datetime.now(UTC).isoformat()
    return {
        "resultType": "task",
        "taskId": run_id,
        "status": "working",
        "createdAt": now,
        "lastUpdatedAt": now,
        "ttlMs": None,
        "pollIntervalMs": POLL_MS,
    }


def detailed(view: RunView) -> dict[str, JsonValue]:
    """The answer to `tasks/get`: with the output, the error or what the run asks."""
    task = {**task_of(view), "resultType": "complete"}
    match task["status"]:
        case "completed":
            text: JsonValue = {"type": "text", "text": view.output or ""}
            task["result"] = {"content": [text], "isError": False}
        case "failed":
            why = view.error.message if view.error else f"the run is {view.status}"
            task["error"] = {"code": -32000, "message": why}
        case "input_required":
            task["inputRequests"] = {it.id: _asked(it) for it in _open(view) if it.id}
    return task


async def update(client: AsyncClient, params: UpdateParams) -> None:
    """Pass a person's answers on, and return once the run has acted on each.

    A client asks again for what is still open when this returns. Answers to what is not open any
    more change nothing.
    """
    view = await client.run(params.task_id).get()
    waits = {it.id: it for it in _open(view) if it.id}
    for id_, answer in params.input_responses.items():
        if waiting := waits.get(id_):
            await _pass_on(client, params.task_id, waiting, answer)


async def _pass_on(
    client: AsyncClient, run_id: str, waiting: Waiting, answer: Mapping[str, Any]
) -> None:
    run, id_ = client.run(run_id), waiting.id or ""
    action, content = answer.get("action"), answer.get("content") or {}
    if action not in {_ACCEPT, _DECLINE}:
        return  # nobody has answered: it stays open
    try:
        if waiting.kind == "input":
            text = (
                str(content.get("answer", "")) if action == _ACCEPT else "I will not answer that."
            )
            receipt = await run.answer(id_, text)
        elif action == _ACCEPT and content.get("decision") == "approve":
            receipt = await run.approve(id_, note=str(content.get("note", "")))
        else:
            receipt = await run.deny(id_, note=str(content.get("note", "")))
    except Conflict:
        return  # somebody else was quicker
    await outcome(run, receipt)


def _status(view: RunView) -> str:
    if view.status.ended:
        return _ENDED.get(view.status, "failed")
    waits = view.status is RunStatus.WAITING and _open(view)
    return "input_required" if waits else "working"


def _open(view: RunView) -> tuple[Waiting, ...]:
    """What a person can answer here."""
    return tuple(it for it in view.waiting_for if it.kind in {"approval", "input"})


def _asked(waiting: Waiting) -> JsonValue:
    """A question or an approval as a request for input."""
    answer: dict[str, JsonValue] = {"answer": {"type": "string"}}
    decision: dict[str, JsonValue] = {
        "decision": {"type": "string", "enum": ["approve", "deny"]},
        "note": {"type": "string"},
    }
    asks = waiting.kind == "input"
    fields: dict[str, JsonValue] = answer if asks else decision
    return {
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": waiting.what if asks else f"Approve {waiting.what}?",
            "requestedSchema": {
                "type": "object",
                "properties": fields,
                "required": ["answer" if asks else "decision"],
            },
        },
    }
