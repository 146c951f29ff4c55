"""A provider whose answers and errors are without the worker's secrets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

from relayline.activities.model.port import (
    CallPart,
    ModelPart,
    ModelProvider,
    Prompt,
    ProviderError,
    ReasoningPart,
    TextPart,
)
from relayline.runtime.redaction import Redactor


def cleaned(
    providers: Callable[[str], ModelProvider], redactor: Redactor
) -> Callable[[str], ModelProvider]:
    """The same providers; no part of their answers has a secret in it."""
    if redactor.knows_none:
        return providers
    return lambda model: _Clean(providers(model), redactor)


class _Clean:
    """A `ModelProvider` that passes another's answer on without secrets."""

    def __init__(self, provider: ModelProvider, redactor: Redactor) -> None:
        self._provider = provider
        self._redactor = redactor

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """The answer; a piece of text that may be the beginning of a secret waits for the next.

        Raises:
            ProviderError: as the provider's, without secrets.
        """
        answer = _Texts(self._redactor)
        try:
            async with aclosing(self._provider.stream(prompt)) as parts:
                async for part in parts:
                    for clean in answer.take(part):
                        yield clean
                for clean in answer.rest():
                    yield clean
        except ProviderError as error:
            error.args = (self._redactor.clean(str(error)),)
            raise


class _Texts:
    """The text and the reasoning of one answer, each a stream of its own."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._kind: type[TextPart | ReasoningPart] = TextPart
        self._stream = redactor.stream()

    def take(self, part: ModelPart) -> Iterator[ModelPart]:
        """What can be passed on."""
        if not isinstance(part, TextPart | ReasoningPart):
            yield from self.rest()
            yield self._call(part) if isinstance(part, CallPart) else part
            return
        if type(part) is not self._kind:
            yield from self.rest()
            self._kind = type(part)
        if text := self._stream.feed(part.text):
            yield part if text == part.text else self._kind(text)

    def rest(self) -> Iterator[ModelPart]:
        """What was held back."""
        if text := self._stream.flush():
            yield self._kind(text)

    def _call(self, part: CallPart) -> CallPart:
        clean = self._redactor
        return part._replace(
            name=clean.clean(part.name), arguments=clean.clean_json(part.arguments)
        )
