"""Which part of a context that has grown too long is left out. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from relayline.contracts.compaction import BYTES_PER_TOKEN, KeepLast, Summarise
from relayline.contracts.messages import AssistantMessage, Message, ToolMessage
from relayline.projections.transcript import Turn, flat

_TOKENS_PER_MESSAGE = 4
"""For its role and its bounds; a guess."""
_PLACE_TOKENS = 24
"""Of what stands in place of what is left out, besides the summary; at most."""


class Cut(NamedTuple):
    """A context in three parts, each in order."""

    kept: tuple[Turn, ...]
    """Messages of people from before the tail."""
    left_out: tuple[Turn, ...]
    """What stands in place of earlier ones that are left out may be among them."""
    tail: tuple[Turn, ...]
    """Everything from there on, never empty."""


def cut(said: Sequence[Turn], policy: KeepLast | Summarise) -> Cut | None:
    """What to leave out, None if nothing.

    These always stay: the first and the newest message of a person and every one that the newest
    whole answer may not have taken into account; that answer with the results of its calls, which
    the model has not seen; and all that came after it. Before that answer, the newest turns stay
    for which there is room within `keep_tokens`. A turn stays or goes as a whole, so a call and
    its result are never parted.

    Nothing goes where that would be less than what may come in its place.

    Args:
        said: What the model is told now.
        policy: The bounds.
    """
    sizes = [estimated_tokens(turn.messages) for turn in said]
    if sum(sizes) <= policy.over_tokens:
        return None
    start = max((index for index, turn in enumerate(said) if turn.answers), default=0)
    pinned = _pinned(said, said[start].told_to)
    reserve = _PLACE_TOKENS + (policy.summary_tokens if isinstance(policy, Summarise) else 0)
    room = policy.keep_tokens - reserve - sum(sizes[start:])
    room -= sum(size for turn, size in zip(said[:start], sizes, strict=False) if turn.seq in pinned)
    while start and said[start - 1].seq:
        cost = 0 if said[start - 1].seq in pinned else sizes[start - 1]
        if cost > max(room, 0):
            break
        room -= cost
        start -= 1
    left_out = tuple(turn for turn in said[:start] if turn.seq not in pinned)
    fresh = estimated_tokens(flat(turn for turn in left_out if turn.seq))
    if fresh < reserve:
        return None
    return Cut(tuple(it for it in said[:start] if it.seq in pinned), left_out, tuple(said[start:]))


def estimated_tokens(messages: Iterable[Message]) -> int:
    """A guess from the bytes, rounded up; the same for the same messages on every machine."""
    return sum(
        _TOKENS_PER_MESSAGE
        - (-len(_content(message).encode("utf-8", "replace")) // BYTES_PER_TOKEN)
        for message in messages
    )


def _content(message: Message) -> str:
    match message:
        case ToolMessage(output=output):
            return output
        case AssistantMessage(text=text, tool_calls=calls):
            asked = ((call.name, json.dumps(call.arguments, ensure_ascii=False)) for call in calls)
            return text + "".join(name + arguments for name, arguments in asked)
        case _:
            return message.text


def _pinned(said: Sequence[Turn], told_to: int) -> frozenset[int]:
    """`seq` of the messages of people that stay."""
    users = [turn.seq for turn in said if turn.by_user]
    return frozenset({*users[:1], *users[-1:], *(seq for seq in users if seq > told_to)})
