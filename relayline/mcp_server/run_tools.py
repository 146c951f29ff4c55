"""The tools of the MCP server, each a request of the HTTP API; what they answer is JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from relayline.client import AsyncClient, AsyncRun
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.operation.agent_answers import AgentView

RUN = "run_"
"""What the names of the tools that start runs begin with; the agent's name follows."""
APPLIED_S = 10.0
"""How long a command may take to be acted on before its receipt is answered as it is."""
MAX_WAIT_S = 45.0
"""Clients give a call up after a minute."""
MAX_EVENTS = 200


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ask(_Arguments):
    """Arguments of a tool that starts a run."""

    message: str = Field(min_length=1, description="What the agent must do; it sees nothing else.")
    metadata: dict[str, str] = Field(default_factory=dict, description="Labels of the run.")


class GetRun(_Arguments):
    """Arguments of `get_run`."""

    run_id: str
    wait_s: float = Field(
        default=0, ge=0, le=MAX_WAIT_S, description="Answer when it has ended, or after so long."
    )


class ListRuns(_Arguments):
    """Arguments of `list_runs`."""

    status: list[str] = Field(default_factory=list, description="running, waiting, failed, …")
    agent: str | None = None
    limit: int = Field(default=20, ge=1, le=100)


class ReadEvents(_Arguments):
    """Arguments of `read_events`."""

    run_id: str
    after: int = Field(default=0, ge=0, description="The `seq` of the last event that is known.")


class Redirect(_Arguments):
    """Arguments of `redirect`."""

    run_id: str
    message: str = Field(min_length=1, description="What the agent must do instead.")


class Answer(_Arguments):
    """Arguments of `answer`."""

    run_id: str
    request_id: str = Field(description="Of the question, from `waiting_for`.")
    text: str


class Decide(_Arguments):
    """Arguments of `decide`."""

    run_id: str
    approval_id: str = Field(description="From `waiting_for`.")
    approve: bool
    note: str = ""


class Cancel(_Arguments):
    """Arguments of `cancel`."""

    run_id: str
    reason: str = ""


class RunTool(NamedTuple):
    """A tool of the server."""

    description: str
    arguments: type[_Arguments]
    call: Callable[[AsyncClient, Any], Awaitable[JsonValue]]
    read_only: bool = False


async def _get_run(client: AsyncClient, asked: GetRun) -> JsonValue:
    return as_json(await client.run(asked.run_id).get(wait_s=asked.wait_s))


async def _list_runs(client: AsyncClient, asked: ListRuns) -> JsonValue:
    filters: dict[str, Any] = {"status": asked.status or None, "agent": asked.agent}
    given = {name: value for name, value in filters.items() if value is not None}
    return as_json(await client.list(limit=asked.limit, **given))


async def _read_events(client: AsyncClient, asked: ReadEvents) -> JsonValue:
    found: list[JsonValue] = []
    async for event in client.run(asked.run_id).events(after=asked.after):
        found.append(as_json(event))
        if len(found) == MAX_EVENTS:
            break
    return {"events": found}


async def _redirect(client: AsyncClient, asked: Redirect) -> JsonValue:
    run = client.run(asked.run_id)
    return await outcome(run, await run.redirect(asked.message))


async def _answer(client: AsyncClient, asked: Answer) -> JsonValue:
    run = client.run(asked.run_id)
    return await outcome(run, await run.answer(asked.request_id, asked.text))


async def _decide(client: AsyncClient, asked: Decide) -> JsonValue:
    run = client.run(asked.run_id)
    decide = run.approve if asked.approve else run.deny
    return await outcome(run, await decide(asked.approval_id, note=asked.note))


async def _cancel(client: AsyncClient, asked: Cancel) -> JsonValue:
    run = client.run(asked.run_id)
    return await outcome(run, await run.cancel(asked.reason))


async def outcome(run: AsyncRun, receipt: CommandReceipt) -> JsonValue:
    """What became of the command, once the run has acted on it or `APPLIED_S` are over."""
    return as_json(await run.command(receipt.command_id, wait_s=APPLIED_S))


def as_json(answer: BaseModel) -> JsonValue:
    """The answer of the API, without what is absent."""
    value: JsonValue = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return value


_STEERING: Mapping[str, RunTool] = {
    "get_run": RunTool("The state of a run, and its output.", GetRun, _get_run, read_only=True),
    "list_runs": RunTool("Runs, newest first.", ListRuns, _list_runs, read_only=True),
    "read_events": RunTool(
        f"What happened in a run, {MAX_EVENTS} events at a time.",
        ReadEvents,
        _read_events,
        read_only=True,
    ),
    "redirect": RunTool("Give a run other instructions in the middle.", Redirect, _redirect),
    "answer": RunTool("Answer a question that a run asks.", Answer, _answer),
    "cancel": RunTool("End a run.", Cancel, _cancel),
}
_DECIDE = RunTool("Approve or deny a tool call that a run waits with.", Decide, _decide)


def steering_tools(*, decides: bool) -> Mapping[str, RunTool]:
    """The tools for runs that there are.

    Args:
        decides: True: models may approve the calls of agents, also of their own.
    """
    return {**_STEERING, "decide": _DECIDE} if decides else _STEERING


def described(agent: AgentView) -> str:
    """What a model is told of the agent."""
    tools = ", ".join(islice(agent.tools, 20))
    can = f" Its tools: {tools}." if tools else ""
    return f"Have the agent {agent.name} work on a task, durably, in a run of its own.{can}"
