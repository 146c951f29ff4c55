"""The model `rehearsal`: plays a script, or answers plain text as the demo planner."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from itertools import islice

from relayline.activities.model.port import (
    BadScript,
    CallPart,
    FinishPart,
    ModelPart,
    Prompt,
    ProviderError,
    ReasoningPart,
    TextPart,
    retry_helps,
)
from relayline.activities.model.providers.examples import example
from relayline.activities.model.providers.planner import PACE_MS, answers_since, plan
from relayline.catalog.rehearsal import (
    Answer,
    Fail,
    Item,
    MalformedScript,
    ManyCalls,
    OneCall,
    Say,
    Script,
    Think,
    Tokens,
    is_script,
    parse_script,
)
from relayline.contracts.messages import Message, Usage, UserMessage

END_OF_SCRIPT = Say(say="(end of script)")
"""Played when no item of the script is left, so that no answer is empty."""

_ENDS = OneCall | ManyCalls | Answer
"""Items that end a step."""
_WORD = re.compile(r"\s*\S+\s*|\s+")


class RehearsalModel:
    """A `ModelProvider` without a model: deterministic, offline, free of charge.

    The newest user message decides. If it is a script, one model call plays the items up to and
    including the next one that calls tools or answers. Plain text after a script gets the answer
    `Understood: <text>`; without a script, the demo planner answers, with a value that fits where
    an answer must be JSON. A summary says how many words it sums up. Words count as tokens. Of the
    settings, only `max_output_tokens` changes what it says.
    """

    def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """The answer, piece by piece.

        Raises:
            BadScript: the newest message is an invalid script.
            ProviderError: the script contains a failure.
        """
        return play(_items(prompt), prompt)


async def play(items: Iterable[Item], prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
    """The items as the model's answer, each piece when it is due.

    Raises:
        ProviderError: an item is a failure in this attempt.
    """
    loop = asyncio.get_running_loop()
    most = prompt.settings.max_output_tokens or sys.maxsize
    due, tokens, reason = loop.time(), 0, "stop"
    for wait_s, part in _played(items, prompt):
        if wait_s:
            due += wait_s  # not relative to now, to keep the pace on a busy machine
            await asyncio.sleep(max(due - loop.time(), 0))
        else:
            due = loop.time()
        size = len(part.text.split()) if isinstance(part, TextPart | ReasoningPart) else 1
        if tokens + size > most:
            reason = "length"
            break
        tokens += size
        if isinstance(part, CallPart):
            reason = "tool_calls"
        yield part
    yield FinishPart(reason, Usage(input_tokens=_words_in(prompt), output_tokens=tokens))


def _items(prompt: Prompt) -> Sequence[Item]:
    """The items that this call plays."""
    if prompt.purpose == "summary":
        return (Say(say=f"A rehearsed summary of {_words_of(prompt.messages)} words."),)
    users = [index for index, it in enumerate(prompt.messages) if isinstance(it, UserMessage)]
    newest = prompt.messages[users[-1]] if users else UserMessage(text="")
    text = newest.text if isinstance(newest, UserMessage) else ""
    since = prompt.messages[users[-1] + 1 :] if users else ()
    try:
        script = parse_script(text)
    except MalformedScript as error:
        raise BadScript(str(error)) from error
    if script is not None:
        return _segment(script, answers_since(since))
    if any(is_script(it.text) for it in prompt.messages if isinstance(it, UserMessage)):
        items: Sequence[Item] = (Say(say=f"Understood: {text}"),)
    else:
        items = plan(text, since, prompt.tools)
    if prompt.output_schema is None or any(isinstance(it, _ENDS) for it in items):
        return items
    return (Answer(answer=example(prompt.output_schema), every_ms=PACE_MS),)


def _segment(script: Script, number: int) -> Sequence[Item]:
    """The items of one step: after the `number`th that ends one, up to and including the next."""
    ends = [index for index, item in enumerate(script) if isinstance(item, _ENDS)]
    bounds = [0, *(index + 1 for index in ends), len(script)]
    items = script[bounds[number] : bounds[number + 1]] if number + 1 < len(bounds) else ()
    silent = not any(isinstance(item, Say | Tokens | _ENDS) for item in items)
    return (*items, END_OF_SCRIPT) if silent else items


def _played(items: Iterable[Item], prompt: Prompt) -> Iterator[tuple[float, ModelPart]]:
    """The parts of the items, each with the seconds to wait before it."""
    for item in items:
        match item:
            case OneCall():
                yield 0, CallPart(item.call, item.arguments)
            case ManyCalls():
                for call in item.calls:
                    yield 0, CallPart(call.name, call.arguments)
            case Fail():
                if prompt.attempt <= item.times and item.model in {None, prompt.model}:
                    raise _failure(item)
            case Say() | Think() | Tokens() | Answer():
                yield from _streamed(item)


def _streamed(item: Say | Think | Tokens | Answer) -> Iterator[tuple[float, ModelPart]]:
    make = ReasoningPart if isinstance(item, Think) else TextPart
    for index, piece in enumerate(_pieces(item)):
        yield item.every_ms / 1000 if index else 0, make(piece)


def _pieces(item: Say | Think | Tokens | Answer) -> Iterator[str]:
    """The item's text in pieces of `words_per_delta` words."""
    match item:
        case Say(say=text) | Think(think=text) | Answer(text=text):
            words: Iterator[str] = (match.group() for match in _WORD.finditer(text))
        case Tokens(tokens=count):
            words = (f"w{n} " if n < count else f"w{n}" for n in range(1, count + 1))
    while piece := "".join(islice(words, item.words_per_delta)):
        yield piece


def _failure(item: Fail) -> ProviderError:
    return ProviderError(
        f"rehearsal: the script says HTTP {item.fail}",
        retryable=retry_helps(item.fail),
        status=item.fail,
        retry_after_s=item.retry_after_s,
    )


def _words_in(prompt: Prompt) -> int:
    """Number of words in the instructions and all messages."""
    return len(prompt.instructions.split()) + _words_of(prompt.messages)


def _words_of(messages: Iterable[Message]) -> int:
    texts = (it.output if it.role == "tool" else it.text for it in messages)
    return sum(len(text.split()) for text in texts)
