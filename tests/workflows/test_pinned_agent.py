"""A large agent is journaled once; the history has it in no further step."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from relayline.contracts.calls import PINNED_CHARS, ModelRequest, ModelResult, agent_sha256
from relayline.contracts.events import AgentPinned
from relayline.contracts.keys import agent_key
from relayline.contracts.runs import AgentSpec, ToolSpec
from tests.workflows.fakes import CALL, STOP, Fakes

LARGE = ToolSpec(name="work", description="x" * (PINNED_CHARS + 1))


class Steps:
    """A model that calls a tool until its last answer, and keeps what it was asked."""

    def __init__(self, count: int) -> None:
        self.requests: list[ModelRequest] = []
        self.models = [self._answer] * count

    async def _answer(self, request: ModelRequest) -> ModelResult:
        self.requests.append(request)
        return CALL if len(self.requests) < len(self.models) else STOP


@pytest.mark.slow
@pytest.mark.parametrize("history_bound", [8000, 15])
async def test_a_large_agent_goes_to_the_journal_once_and_steps_have_its_digest(
    temporal: Client, history_bound: int
) -> None:
    steps = Steps(4)
    fakes = Fakes(steps.models)
    fakes.tools, fakes.history_bound = (LARGE,), history_bound
    async with fakes.running(temporal) as handle:
        await handle.result()
    body = fakes.fact("agent.pinned").body
    assert isinstance(body, AgentPinned)
    spec = AgentSpec.model_validate(body.spec)
    assert spec.tools == (LARGE,)
    assert body.sha256 == agent_sha256(spec)
    assert [request.agent for request in steps.requests] == [None] * 4
    assert {request.agent_sha256 for request in steps.requests} == {body.sha256}
    carried = [fact.key for fact in steps.requests[0].outbox.facts]
    assert agent_key(body.sha256) in carried
    if history_bound == 8000:
        assert max(len(it.model_dump_json()) for it in steps.requests[1:]) < 1000


async def test_a_small_agent_goes_with_each_call(temporal: Client) -> None:
    steps = Steps(2)
    fakes = Fakes(steps.models)
    async with fakes.running(temporal) as handle:
        await handle.result()
    assert "agent.pinned" not in fakes.types
    assert [request.agent_sha256 for request in steps.requests] == ["", ""]
    assert all(request.agent for request in steps.requests)


def test_the_digest_depends_on_what_is_given_alone() -> None:
    """A later version that adds a field reads an old spec with the field's default."""

    class Later(AgentSpec):
        added: bool = False

    agent = AgentSpec(name="a", model="rehearsal", tools=(LARGE,))
    later = Later.model_validate_json(agent.model_dump_json())
    assert agent_sha256(later) == agent_sha256(agent)
    assert agent_sha256(agent.model_copy(update={"model": "local"})) != agent_sha256(agent)
