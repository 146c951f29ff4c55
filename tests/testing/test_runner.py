"""Agents run in the test's own process: real runs, scripted models, faked tools."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from relayline import Agent, ToolContext, ToolError, tool
from relayline.catalog.agents import CatalogError
from relayline.contracts.messages import UserMessage
from relayline.contracts.runs import Limits
from relayline.testing import AgentRunner, Refused, Script, call, fail, say, think
from tests.activities.tool.mcp.conftest import odd


@tool(retries=0)
def price(article: str) -> str:
    """The price of an article."""
    raise ToolError(f"no price of {article}", retryable=False)


@tool(effects="unsafe", approval="always", approval_timeout_s=3600)
async def refund(context: ToolContext, order: int) -> str:
    """Pay an order back."""
    context.progress("asking the bank")
    return f"refunded {order}"


clerk = Agent("clerk", "Be kind.", tools=[price, refund, "ask_user"])
boss = Agent("boss", agents=[clerk])


def test_a_run_completes_with_its_calls_events_and_prompts(agent_runner: AgentRunner) -> None:
    script = [call("price", article="tea"), think("hm") + say("It costs 4.")]
    run = agent_runner.run(clerk, "Tea?", model=script, tools={"price": "4"})
    assert (run.status, run.output) == ("completed", "It costs 4.")
    assert run.calls == [("price", {"article": "tea"})]
    assert [event.seq for event in run.events] == [*range(1, len(run.events) + 1)]
    assert run.events[0].type == "run.queued"
    assert [prompt.messages[0] for prompt in run.prompts] == [UserMessage(text="Tea?")] * 2
    assert run.usage.output_tokens == 5


def test_a_tool_that_is_not_faked_runs_and_its_failure_is_the_model_s(
    agent_runner: AgentRunner,
) -> None:
    run = agent_runner.run(clerk, "Tea?", model=[call("price", article="tea"), say("Sorry.")])
    assert "no price of tea" in str(run.of("tool.failed"))
    assert run.output == "Sorry."


def test_fakes_get_checked_arguments_and_the_context_only_if_they_take_it(
    agent_runner: AgentRunner,
) -> None:
    seen: list[str] = []
    both = call("price", article=7) + call("price", article="tea")

    def fake(article: str) -> None:
        seen.append(article)

    agent_runner.run(clerk, "?", model=[both, say("!")], tools={"price": fake})
    assert seen == ["tea"]
    with pytest.raises(CatalogError, match="no tool 'prices' to fake"):
        agent_runner.run(clerk, "?", tools={"prices": "4"})


@pytest.mark.parametrize(("yes", "kind"), [(True, "tool.completed"), (False, "tool.failed")])
def test_an_approval_is_decided(agent_runner: AgentRunner, yes: bool, kind: str) -> None:
    run = agent_runner.run(clerk, "Refund", model=[call("refund", order=7), say("Well.")])
    assert [it.what for it in run.waiting_for] == ["refund(order=7)"]
    if yes:
        run.approve({"order": 8})
    else:
        run.deny("not today")
    assert ("refunded 8" if yes else "not today") in str(run.of(kind))
    assert run.output == "Well."
    with pytest.raises(Refused, match="no open approvals"):
        run.approve()


def test_time_is_skipped(agent_runner: AgentRunner) -> None:
    run = agent_runner.run(clerk, "Refund", model=[call("refund", order=7), say("Late.")])
    run.skip(timedelta(minutes=59))
    assert run.status == "waiting"
    run.skip(timedelta(minutes=2))
    assert run.output == "Late."


def test_a_question_is_answered(agent_runner: AgentRunner) -> None:
    script = [call("ask_user", question="Which?"), say("Green it is.")]
    run = agent_runner.run(clerk, "Tea", model=script)
    run.answer("green")
    assert "green" in str(run.of("input.received"))
    assert run.output == "Green it is."


def test_a_conversation_has_its_turns(agent_runner: AgentRunner) -> None:
    run = agent_runner.run(clerk, "Hi", model=[say("Hello.")], open=True)
    assert run.status == "idle"
    run.send("And you?", model=[say("Fine.")])
    assert [turn["output"] for turn in run.of("turn.completed")] == ["Hello.", "Fine."]
    run.close()
    assert run.status == "completed"


def test_an_agent_asks_another_each_with_its_script(agent_runner: AgentRunner) -> None:
    scripts: dict[str, Script] = {
        "boss": [call("ask_clerk", message="price?"), say("He says 4.")],
        "clerk": [call("price", article="tea"), say("4")],
    }
    run = agent_runner.run(boss, "Tea?", model=scripts, tools={"price": lambda article: "4"})
    assert run.output == "He says 4."
    assert run.of("child.ended")[0]["status"] == "completed"


def test_failures_of_the_provider_and_the_end_of_the_script(agent_runner: AgentRunner) -> None:
    run = agent_runner.run(clerk, "Hi", model=[fail(503) + say("Hello.")])
    assert run.output == "Hello."
    run = agent_runner.run(clerk, "Hi", model=[call("price", article="tea")])
    assert run.status == "failed"
    assert run.error is not None
    assert "has 1 answers, and the model was asked for number 2" in run.error.message


def test_limits_cancel_and_refusals(agent_runner: AgentRunner) -> None:
    limits = Limits(max_steps=1)
    run = agent_runner.run(clerk, "Hi", model=[call("price", article="x")], limits=limits)
    assert run.error is not None
    assert run.error.type == "budget-exceeded"
    run = agent_runner.run(clerk, "Refund", model=[call("refund", order=7)])
    with pytest.raises(Refused):
        run.send("no conversation")
    run.cancel()
    assert run.status == "cancelled"


def test_an_answer_that_must_be_json_is_the_value_once_it_fits(agent_runner: AgentRunner) -> None:
    schema: dict[str, JsonValue] = {"type": "object", "required": ["euros"]}
    teller = Agent("teller", output=schema)
    run = agent_runner.run(teller, "Tea?", model=[say("4"), say('{"euros": 4}')])
    assert (run.status, run.output) == ("completed", {"euros": 4})
    assert len(run.of("output.rejected")) == 1


def test_an_agent_falls_back_to_another_model(agent_runner: AgentRunner) -> None:
    careful = Agent("careful", fallbacks=["anthropic:some-model"])
    run = agent_runner.run(careful, "Hi", model=[fail(503, times=3) + say("Hello.")])
    assert run.output == "Hello."
    assert run.of("model.fallback")[0]["from"] == "rehearsal"


@pytest.mark.slow
def test_tools_of_a_real_mcp_server_are_called(agent_runner: AgentRunner, tmp_path: Path) -> None:
    counting = Agent("counting", mcp=[odd(tmp_path)])
    script = [call("odd_count", to=3), say("Three.")]
    run = agent_runner.run(counting, "Count", model=script)
    assert run.of("tool.completed")[0]["output"] == "counted to 3"
    assert run.output == "Three."


@tool
def whoami(context: ToolContext) -> str:
    """For whom the agent works."""
    return f"{context.user} of {context.metadata['team']}, {context.secrets('crm')}"


def test_tools_are_told_for_whom_they_work_and_read_secrets(agent_runner: AgentRunner) -> None:
    asked = Agent("asked", "You work for {user}.", tools=[whoami])
    script = [call("whoami"), say("I see.")]
    labels, secrets = {"team": "blue"}, {"crm": "s3cret"}
    run = agent_runner.run(
        asked, "Who?", model=script, user="ann", metadata=labels, secrets=secrets
    )
    assert run.of("tool.completed")[0]["output"] == "ann of blue, s3cret"
    assert run.prompts[0].instructions == "You work for ann."
