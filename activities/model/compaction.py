"""Decides which part of a long context to leave out. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from relayline.contracts.compaction import BYTES_PER_TOKEN, KeepLast, Summarise
from relayline.contracts.files.parts import files_in
from relayline.contracts.messages import AssistantMessage, Message, ToolMessage, UserMessage
from relayline.projections.said import Turn
from relayline.projections.transcript import flat

_TOKENS_PER_MESSAGE = 4
"""An estimate for the role and the delimiters of a message."""
FILE_TOKENS = 1500
"""An estimate for an image or a file, which providers count in ways of their own."""
_PLACE_TOKENS = 24
"""An upper bound for the message that replaces what is left out, without the summary."""


class Cut(NamedTuple):
    """A context in three parts, each in its original order."""

    kept: tuple[Turn, ...]
    """User messages from before the tail that stay."""
    left_out: tuple[Turn, ...]
    """Turns to leave out; the replacement of an earlier compaction may be among them."""
    tail: tuple[Turn, ...]
    """All turns from here on; never empty."""


def cut(turns: Sequence[Turn], policy: KeepLast | Summarise) -> Cut | None:
    """Decide what to leave out; None if nothing.

    These turns always stay: the first and the newest user message, and every user message that the
    newest whole answer may not have taken into account; that answer with the results of its calls,
    which the model has not seen; and everything after it. Of the earlier turns, the newest stay as
    long as they fit into `keep_tokens`. A turn stays or goes as a whole, so a call and its result
    stay together.

    Nothing is left out if the replacement could be larger.

    Args:
        turns: The context that the model sees now.
        policy: The bounds.
    """
    sizes = [estimated_tokens(turn.messages) for turn in turns]
    if sum(sizes) <= policy.over_tokens:
        return None
    start = max((index for index, turn in enumerate(turns) if turn.answers), default=0)
    pinned = _pinned(turns, turns[start].told_to)
    reserve = _PLACE_TOKENS + (policy.summary_tokens if isinstance(policy, Summarise) else 0)
    room = policy.keep_tokens - reserve - sum(sizes[start:])
    room -= sum(
        size for turn, size in zip(turns[:start], sizes, strict=False) if turn.seq in pinned
    )
    while start and turns[start - 1].seq:
        cost = 0 if turns[start - 1].seq in pinned else sizes[start - 1]
        if cost > max(room, 0):
            break
        room -= cost
        start -= 1
    left_out = tuple(turn for turn in turns[:start] if turn.seq not in pinned)
    fresh = estimated_tokens(flat(turn for turn in left_out if turn.seq))
    if fresh < reserve:
        return None
    return Cut(
        tuple(it for it in turns[:start] if it.seq in pinned), left_out, tuple(turns[start:])
    )


def estimated_tokens(messages: Iterable[Message]) -> int:
    """An estimate from the number of bytes, rounded up; deterministic."""
    return sum(
        _TOKENS_PER_MESSAGE
        + FILE_TOKENS * _files(message)
        - (-len(_content(message).encode("utf-8", "replace")) // BYTES_PER_TOKEN)
        for message in messages
    )


def _files(message: Message) -> int:
    match message:
        case UserMessage(parts=parts):
            return len(files_in(parts))
        case ToolMessage(files=files):
            return len(files)
        case _:
            return 0


def _content(message: Message) -> str:
    match message:
        case ToolMessage(output=output):
            return output
        case AssistantMessage(text=text, tool_calls=calls):
            asked = ((call.name, json.dumps(call.arguments, ensure_ascii=False)) for call in calls)
            back = message.kept.data if message.kept else ""
            whole = text + message.rejected + back
            return whole + "".join(name + arguments for name, arguments in asked)
        case _:
            return message.text


def _pinned(turns: Sequence[Turn], told_to: int) -> frozenset[int]:
    """`seq` of the user messages that stay."""
    users = [turn.seq for turn in turns if turn.by_user]
    return frozenset({*users[:1], *users[-1:], *(seq for seq in users if seq > told_to)})
