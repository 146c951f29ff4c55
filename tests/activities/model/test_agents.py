"""The agent of a model call: sent with it, remembered, or found in the journal."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.agents import Agents
from relayline.contracts.calls import ModelRequest, agent_given, agent_sha256
from relayline.contracts.compaction import KeepLast, Summarise
from relayline.contracts.envelope import StoredEvent, body_json
from relayline.contracts.events import AgentPinned
from relayline.contracts.keys import agent_key
from relayline.contracts.runs import AgentSpec, ToolSpec

AGENT = AgentSpec(name="a", model="rehearsal", tools=(ToolSpec(name="work"),))
DIGEST = agent_sha256(AGENT)
RUN = "run_0123456789abcdef"
FACT = StoredEvent(
    RUN,
    3,
    0,
    "agent.pinned",
    None,
    None,
    agent_key(DIGEST),
    body_json(AgentPinned(sha256=DIGEST, spec=agent_given(AGENT))),
)
BY_DIGEST = ModelRequest(run_id=RUN, epoch=0, step=1, agent_sha256=DIGEST)


def test_an_agent_that_is_sent_counts() -> None:
    assert Agents().of(BY_DIGEST.model_copy(update={"agent": AGENT}), ()) is AGENT


def test_an_agent_is_read_once_from_the_facts() -> None:
    agents = Agents()
    assert agents.of(BY_DIGEST, [FACT]) == AGENT
    assert agents.of(BY_DIGEST, ()) == AGENT


def test_a_journal_without_the_agent_is_incomplete() -> None:
    other = FACT._replace(key=agent_key("0" * 64))
    with pytest.raises(ApplicationError, match=DIGEST) as caught:
        Agents().of(BY_DIGEST, [other])
    assert caught.value.type == "journal-incomplete"
    assert caught.value.non_retryable


def test_a_large_agent_keeps_its_policy_of_compaction() -> None:
    bounds = {"over_tokens": 9000, "keep_tokens": 5000}
    for policy in (KeepLast(**bounds), Summarise(**bounds)):
        agent = AGENT.model_copy(update={"compaction": policy})
        assert AgentSpec.model_validate(agent_given(agent)) == agent
