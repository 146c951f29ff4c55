"""Which scopes nobody may write under any more once an operator has reset a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import MessageCompleted
from relayline.contracts.steps import call_scope

_BEGUN = ("/started", "/claim")
"""How the keys of facts end that tell of a call; what comes before is its scope."""


def scopes(facts: Iterable[StoredEvent], epoch: int) -> tuple[str, ...]:
    """The fence scopes of all model and tool calls that the epoch may have begun.

    Args:
        facts: All facts of the run so far.
        epoch: The one that is over.
    """
    found: dict[str, None] = {}
    for fact in facts:
        key = fact.key or ""
        if key.startswith(f"{epoch}/") and key.endswith(_BEGUN) and fact.step is not None:
            found |= dict.fromkeys(key.removesuffix(end) for end in _BEGUN if key.endswith(end))
        body = fact.body() if fact.type == "message.completed" else None
        if isinstance(body, MessageCompleted):
            found |= dict.fromkeys(call_scope(epoch, call.call_id) for call in body.tool_calls)
    return tuple(found)
