"""The requests about a server, rather than its runs."""

from __future__ import annotations

from relayline.client.calls import Call
from relayline.contracts.operation.agent_answers import AgentList
from relayline.contracts.operation.system import Health


def agents() -> Call[AgentList]:
    """The agents of the server."""
    return Call("GET", "/v1/agents", AgentList)


def health() -> Call[Health]:
    """The process is alive."""
    return Call("GET", "/healthz", Health)


def ready() -> Call[Health]:
    """The server has what it needs; the answer of an unready one is no error."""
    return Call("GET", "/readyz", Health, answered_by=frozenset({503}))
