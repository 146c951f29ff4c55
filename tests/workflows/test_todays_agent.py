"""A message that asks for the agent of today: its turn and all later ones have that agent."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from relayline.contracts.calls import PINNED_CHARS, ModelRequest, ModelResult, agent_sha256
from relayline.contracts.commands import Close, SendMessage
from relayline.contracts.events import AgentPinned, CommandApplied
from relayline.contracts.runs import AgentSpec, Limits, RunStatus
from tests.workflows.fakes import STOP, Fakes, Stubborn, send, shows

TODAY = AgentSpec(name="tested", model="rehearsal", instructions="new", limits=Limits(max_steps=7))
LARGE = TODAY.model_copy(update={"instructions": "x" * (PINNED_CHARS + 1)})


def asks(id_: str, spec: AgentSpec | None = TODAY) -> SendMessage:
    """A message as the API sends it."""
    return SendMessage(content=id_, command_id=id_, agent="catalog", spec=spec)


class Asked:
    """A model that keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def model(self, request: ModelRequest) -> ModelResult:
        """As a model."""
        self.requests.append(request)
        return STOP


@pytest.mark.slow
@pytest.mark.parametrize("spec", [TODAY, LARGE], ids=["small", "large"])
async def test_that_turn_and_later_ones_have_the_agent_of_today(
    temporal: Client, spec: AgentSpec
) -> None:
    asked = Asked()
    fakes = Fakes([asked.model] * 3)
    fakes.idle_s = 3600
    async with fakes.running(temporal) as handle:
        before = await shows(handle, RunStatus.IDLE)
        await send(handle, asks("b", spec))
        await fakes.until("turn.completed", 2)
        progress = await shows(handle, RunStatus.IDLE)
        await send(handle, SendMessage(content="c", command_id="c"))
        await fakes.until("turn.completed", 3)
        await send(handle, Close(command_id="end"))
        await handle.result()
    assert (await handle.describe()).run_id != handle.first_execution_run_id
    digest = agent_sha256(spec)
    large = spec is LARGE
    later = digest if large else ""
    assert [it.agent_sha256 for it in asked.requests] == ["", later, later]
    assert [it.agent for it in asked.requests][1:] == [None if large else spec] * 2
    assert asked.requests[0].agent != spec
    assert before.limits != progress.limits == spec.limits
    pinned = fakes.fact("agent.pinned").body
    assert isinstance(pinned, AgentPinned)
    assert AgentSpec.model_validate(pinned.spec) == spec
    applied = fakes.outcome("b")
    assert isinstance(applied, CommandApplied)
    assert applied.applied == "turn 2 begins with the agent of today"


@pytest.mark.slow
async def test_it_is_taken_also_while_other_messages_wait(temporal: Client) -> None:
    stubborn, asked = Stubborn(), Asked()
    fakes = Fakes([stubborn.model, *[asked.model] * 3])
    fakes.idle_s = 3600
    first = [SendMessage(content="a", command_id="a"), asks("b"), SendMessage(content="c")]
    async with fakes.running(temporal, first=first) as handle:
        await fakes.begun.wait()
        stubborn.release()
        await fakes.until("turn.completed", 4)
        await send(handle, Close(command_id="end"))
        await handle.result()
    assert [it.agent == TODAY for it in asked.requests] == [False, True, True]


@pytest.mark.slow
async def test_a_signal_without_the_agent_or_with_a_redirect_is_refused(temporal: Client) -> None:
    fakes = Fakes([STOP])
    fakes.idle_s = 3600
    wrong = asks("no redirect").model_copy(update={"if_busy": "redirect"})
    other = asks("no name").model_copy(update={"agent": "brief"})
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.IDLE)
        await send(handle, asks("no spec", None), wrong, other, Close(command_id="end"))
        await handle.result()
    assert fakes.refused("no spec").startswith("agent: only")
    assert fakes.refused("no redirect").startswith("agent: not with")
    assert fakes.refused("no name").startswith("agent: is")
    assert "agent.pinned" not in fakes.types
