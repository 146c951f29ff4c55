"""The tools of MCP servers in a model call: listed once, pinned, told to the model."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.classified import MAX_FAILURES
from relayline.activities.model.port import CallPart, TextPart
from relayline.activities.tool.mcp.port import McpFailure
from relayline.contracts.calls import ModelRequest
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import StepStarted, ToolsListed, UserMessageEvent
from relayline.contracts.keys import inherited_key, tools_key
from relayline.contracts.mcp import MissingServer
from relayline.contracts.runs import AgentSpec, ToolSpec
from relayline.journal.port import Journal
from tests.activities.fake_servers import TEXT, FakeServers, served
from tests.activities.model.model_calls import Run, finished

ADD = served("add", effects="unsafe", approval="always", timeout_s=7, retries=1)


class Served(Run):
    """A run of an agent with the MCP server `notes`."""

    def __init__(self, journal: Journal, *servers: str, turns: Sequence[int] = ()) -> None:
        super().__init__(journal)
        self.fake = FakeServers(ADD)
        self.servers = self.fake
        self.agent = AgentSpec(name="clerk", model="rehearsal", mcp=servers or ("notes",))
        self.turns = turns
        self.epoch = 0

    def request(self, step: int = 1) -> ModelRequest:
        turn = self.turns[step - 1] if self.turns else None
        started = StepStarted(model="m", turn=turn)
        facts = (
            NewEvent(key="0/message/0", body=UserMessageEvent(text="hi")),
            NewEvent(key=f"{self.epoch}/step/{step}/started", step=step, body=started),
        )
        asked = super().request(step)
        return asked.model_copy(update={"outbox": Outbox(facts=facts), "epoch": self.epoch})

    async def listed(self) -> list[ToolsListed]:
        return [body for body in await self.bodies("tools.listed") if isinstance(body, ToolsListed)]

    async def keys(self) -> list[str | None]:
        return [event.key for event in await self.events() if event.type == "tools.listed"]

    async def say(self, step: int, *, attempt: int = 1) -> tuple[str, ...]:
        """A model call; gives the tools that the model was told of."""
        provider = finished(TextPart("yes"))
        await self.call(provider, step=step, attempt=attempt)
        return tuple(tool.name for tool in provider.prompts[0].tools)


async def test_the_first_step_lists_and_the_model_is_told_the_tools(journal: Journal) -> None:
    run = Served(journal)
    run.agent = run.agent.model_copy(update={"tools": (ToolSpec(name="own"),)})
    assert await run.say(1) == ("own", "notes_add")
    [body] = await run.listed()
    assert body.servers == ("notes",)
    assert [(it.name, it.digest, it.server) for it in body.tools] == [("notes_add", "d", "notes")]
    assert body.specs[0]["spec"]["parameters"] == TEXT  # type: ignore[index, call-overload]
    assert await run.keys() == [tools_key(0)]


async def test_a_changed_server_never_alters_a_run(journal: Journal) -> None:
    run = Served(journal)
    await run.say(1)
    run.fake.tools = [served("remove", digest="other")]
    assert await run.say(2) == ("notes_add",)
    run.servers = FakeServers()  # another worker
    assert await run.say(3) == ("notes_add",)
    assert run.fake.lists == [("notes",)]


async def test_the_workflow_is_told_what_it_must_know_of_a_called_tool(journal: Journal) -> None:
    run = Served(journal)
    calls = (CallPart("notes_add", {"text": "a"}), CallPart("notes_add", {"text": 1}))
    result = await run.call(finished(*calls))
    [fits, misfits] = result.calls
    assert fits.mcp is not None
    assert fits.mcp.model_dump() == {
        "server": "notes",
        "listed": "0/tools",
        "effects": "unsafe",
        "approval_timeout_s": 86_400,
        "timeout_s": 7,
        "retries": 1,
    }
    assert (fits.approval, misfits.approval) == (True, False)
    again = await run.call(finished(), attempt=2)
    assert again.calls == result.calls, "an answer that is there has the tools of then"


async def test_clients_get_no_schemas(journal: Journal) -> None:
    run = Served(journal)
    await run.say(1)
    event = next(it for it in await run.events() if it.type == "tools.listed")
    shown = json.loads(event.envelope_json())["data"]
    assert "specs" in json.loads(event.data)
    assert set(shown) == {"servers", "tools", "missing", "left_out", "sha256"}


async def test_a_server_that_does_not_answer_is_a_failure_that_is_retried(
    journal: Journal,
) -> None:
    run = Served(journal)
    run.fake.failure = McpFailure("notes: no answer within 10 s", retryable=True)
    with pytest.raises(ApplicationError) as raised:
        await run.say(1)
    assert (raised.value.type, raised.value.non_retryable) == ("tools-unavailable", False)
    assert "attempt.failed" in await run.types()
    run.fake.failure = None
    assert await run.say(1, attempt=2) == ("notes_add",)


async def test_in_the_end_the_step_fails(journal: Journal) -> None:
    run = Served(journal)
    run.fake.failure = McpFailure("notes: no answer", retryable=True)
    for attempt in range(1, MAX_FAILURES + 1):
        with pytest.raises(ApplicationError) as raised:
            await run.say(1, attempt=attempt)
    assert raised.value.non_retryable
    assert raised.value.message == f"its tools failed {MAX_FAILURES} times, most recently: " + str(
        run.fake.failure
    )


@pytest.mark.parametrize("why", ["unknown", "clash", "no servers"])
async def test_what_no_retry_can_help_ends_the_step(journal: Journal, why: str) -> None:
    run = Served(journal)
    if why == "unknown":
        run.fake.failure = McpFailure("no MCP server 'notes'", retryable=False)
    elif why == "clash":
        run.agent = run.agent.model_copy(update={"tools": (ToolSpec(name="notes_add"),)})
    else:
        run.servers = None
    with pytest.raises(ApplicationError) as raised:
        await run.say(1)
    assert (raised.value.type, raised.value.non_retryable) == ("tools-unavailable", True)
    assert "notes" in raised.value.message or why == "no servers"


async def test_a_list_that_is_too_large_says_what_to_do(journal: Journal) -> None:
    run = Served(journal)
    run.fake.tools = [served("add", description="x" * 5_000_000)]
    with pytest.raises(ApplicationError, match=r"offer fewer with McpServer\(tools=…\)"):
        await run.say(1)
    assert await run.listed() == []


async def test_an_optional_server_is_named_missing(journal: Journal) -> None:
    run = Served(journal, "notes", "mail")
    run.fake.missing = [MissingServer(server="mail", reason="no answer within 10 s")]
    assert await run.say(1) == ("notes_add",)
    [body] = await run.listed()
    assert body.servers == ("notes", "mail")
    assert [(it.server, it.reason) for it in body.missing] == [("mail", "no answer within 10 s")]


async def test_each_turn_lists_and_tells_only_what_is_new(journal: Journal) -> None:
    run = Served(journal, turns=(1, 1, 2, 2, 3))
    await run.say(1)
    await run.say(2)
    assert len(run.fake.lists) == 1
    await run.say(3)
    assert (len(run.fake.lists), await run.keys()) == (2, ["0/tools"])
    await run.say(4)
    run.fake.tools = [served("remove")]
    assert await run.say(5) == ("notes_remove",)
    assert (len(run.fake.lists), await run.keys()) == (3, ["0/tools", "0/turn/3/tools"])


async def test_another_agent_of_a_turn_has_its_own_servers(journal: Journal) -> None:
    run = Served(journal, turns=(1, 2, 3))
    await run.say(1)
    run.agent = run.agent.model_copy(update={"mcp": ("mail",)})
    run.fake.tools = [served("send", "mail")]
    assert await run.say(2) == ("mail_send",)
    run.agent = run.agent.model_copy(update={"mcp": ()})
    assert await run.say(3) == ()
    assert run.fake.lists == [("notes",), ("mail",)]


async def test_a_new_epoch_lists_anew(journal: Journal) -> None:
    run = Served(journal)
    await run.say(1)
    run.epoch = 1
    run.fake.tools = [served("remove")]
    assert await run.say(2) == ("notes_remove",)
    assert await run.say(3) == ("notes_remove",)
    assert await run.keys() == ["0/tools", "1/tools"]


async def test_a_fork_has_the_tools_of_its_past(journal: Journal) -> None:
    origin = Served(journal)
    await origin.say(1)
    [body] = await origin.listed()
    fork = Served(journal)
    fork.fake.tools = [served("remove")]
    await journal.append(fork.id, [NewEvent(key=inherited_key(4), body=body, step=1)])
    assert await fork.say(2) == ("notes_add",)
    assert fork.fake.lists == []
