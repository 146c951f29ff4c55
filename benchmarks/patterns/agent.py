"""The agent that the three others serve: a loop over OpenAI's library, in a thread or a task.

It does as that library does with a failed call: two more attempts, after 0.5 and 1 s, less up to a
quarter at random. The library's own retries are off because they know no compressed time.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import cast

from openai import AsyncOpenAI, AsyncStream, OpenAI, OpenAIError, Stream
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageParam,
)
from pydantic import BaseModel

from benchmarks.patterns.environment import PROVIDER, factor
from benchmarks.patterns.provider import MODEL, TOOL

RETRIES, FIRST_RETRY_S = 2, 0.5
_SPREAD = 0.25
_TOOLS: list[ChatCompletionFunctionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Look something up; takes that long.",
            "parameters": {"type": "object", "properties": {"seconds": {"type": "number"}}},
        },
    }
]


class Job(BaseModel):
    """What a client of the three asks for."""

    job: str


class Conversation:
    """What was said so far, and what the model asks for."""

    def __init__(self, job: str) -> None:
        """Of the run of that name."""
        order = json.dumps({"job": job})
        self.messages: list[object] = [
            {"role": "system", "content": "Look things up."},
            {"role": "user", "content": order},
        ]
        self._text, self._call, self._arguments = "", "", ""

    def heard(self, chunk: ChatCompletionChunk) -> str:
        """The text of a piece of the answer."""
        delta = chunk.choices[0].delta
        for call in delta.tool_calls or ():
            self._call = call.id or self._call
            self._arguments += (call.function and call.function.arguments) or ""
        self._text += delta.content or ""
        return delta.content or ""

    def asks_for(self) -> float | None:
        """Seconds of the tool call that the answer asks for, which then has its result."""
        if not self._call:
            return None
        function = {"name": TOOL, "arguments": self._arguments}
        call = {"id": self._call, "type": "function", "function": function}
        seconds = float(json.loads(self._arguments)["seconds"])
        result = {"role": "tool", "tool_call_id": self._call, "content": "found"}
        answer = {"role": "assistant", "content": self._text, "tool_calls": [call]}
        self.messages += [answer, result]
        self._text, self._call, self._arguments = "", "", ""
        return seconds


def _pause_s(failures: int) -> float:
    spread = 1 - _SPREAD * random.random()  # noqa: S311  no secret
    return FIRST_RETRY_S * 2.0 ** (failures - 1) * spread / factor()


def _base_url() -> str:
    return f"{os.environ[PROVIDER]}/v1"


def new_client() -> OpenAI:
    """For threads; one for the process, with the library's own pool of connections."""
    return OpenAI(api_key="none", base_url=_base_url(), max_retries=0)


def new_async_client() -> AsyncOpenAI:
    """For tasks; one for the process, with the library's own pool of connections."""
    return AsyncOpenAI(api_key="none", base_url=_base_url(), max_retries=0)


def _asked(client: OpenAI, said: Conversation) -> Stream[ChatCompletionChunk]:
    for failures in range(1, RETRIES + 2):
        try:
            return client.chat.completions.create(
                model=MODEL,
                messages=cast("list[ChatCompletionMessageParam]", said.messages),
                tools=_TOOLS,
                stream=True,
            )
        except OpenAIError:
            if failures > RETRIES:
                raise
            time.sleep(_pause_s(failures))
    raise AssertionError


def run(client: OpenAI, job: str) -> Iterator[str]:
    """The text of one step after the other.

    Raises:
        OpenAIError: the provider failed three times in a row.
    """
    said = Conversation(job)
    while True:
        yield "".join(said.heard(chunk) for chunk in _asked(client, said))
        seconds = said.asks_for()
        if seconds is None:
            return
        time.sleep(seconds)


async def _asked_async(client: AsyncOpenAI, said: Conversation) -> AsyncStream[ChatCompletionChunk]:
    for failures in range(1, RETRIES + 2):
        try:
            return await client.chat.completions.create(
                model=MODEL,
                messages=cast("list[ChatCompletionMessageParam]", said.messages),
                tools=_TOOLS,
                stream=True,
            )
        except OpenAIError:
            if failures > RETRIES:
                raise
            await asyncio.sleep(_pause_s(failures))
    raise AssertionError


async def run_async(client: AsyncOpenAI, job: str) -> AsyncIterator[str]:
    """The text, word by word.

    Raises:
        OpenAIError: the provider failed three times in a row.
    """
    said = Conversation(job)
    while True:
        async for chunk in await _asked_async(client, said):
            if text := said.heard(chunk):
                yield text
        seconds = said.asks_for()
        if seconds is None:
            return
        await asyncio.sleep(seconds)
