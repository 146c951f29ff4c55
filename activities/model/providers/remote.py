"""Models behind an HTTP API, called through pydantic-ai's model layer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import NoReturn, TypeVar

import httpx2
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
    UserError,
)
from pydantic_ai.messages import ModelResponseStreamEvent
from pydantic_ai.models import Model, StreamedResponse
from pydantic_ai.settings import ModelSettings

from relayline.activities.model.port import (
    ModelPart,
    Prompt,
    ProviderError,
    retry_helps,
)
from relayline.activities.model.providers.ending import ending
from relayline.activities.model.providers.limits import PartLimits
from relayline.activities.model.providers.output_modes import Asked, Pieces, asking
from relayline.activities.model.providers.prompts import model_messages
from relayline.activities.model.providers.tuning import library_settings
from relayline.activities.model.providers.wire.failures import WireError
from relayline.activities.model.providers.wire.halves import paired
from relayline.activities.model.providers.wire.heard import Heard
from relayline.activities.model.providers.wire.listening import hearing
from relayline.catalog.foreign import described, name, words
from relayline.runtime.redaction import Redactor

CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 60.0
"""The longest silence of a provider, before its first event and between two."""
MESSAGE_CHARS = 1000

T = TypeVar("T")


class RemoteModel:
    """A `ModelProvider` over one of pydantic-ai's models.

    The library's own retries are off, so that every failure is counted. Error messages are cut to
    1,000 characters, without the secrets.

    Args:
        model: The model to call.
        redactor: Cuts secrets out of error messages.
        client: `aclose` closes it, too.
        idle_s: The longest silence of the provider in seconds, before its first event and between
            two. Keep-alives do not count as events; the reader's own time does not count.
    """

    def __init__(
        self,
        model: Model,
        redactor: Redactor | None = None,
        client: httpx2.AsyncClient | None = None,
        idle_s: float = IDLE_TIMEOUT_S,
    ) -> None:
        self._model = model
        self._redactor = redactor or Redactor()
        self._client = client
        self._idle_s = idle_s
        # Temporal retries; silence is measured here, so the time-out of the socket is longer
        self._settings = ModelSettings(timeout=2 * idle_s, max_retries=0)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """The answer, piece by piece; its tool calls come at the end.

        Raises:
            ProviderError: the provider refused, failed, was silent for too long, broke off, or sent
                more than `limits.py` allows.
        """
        heard, limits, size_bytes = Heard(), PartLimits(prompt.model), 0
        try:
            asked = asking(self._model, self._settings, prompt)
            pieces = Pieces(asked.output_tool)
            async with AsyncExitStack() as stack:
                with hearing(heard):
                    opening = self._opening(stack, prompt, asked)
                    response = await self._in_time(opening, prompt.model)
                events = aiter(response)
                while event := await self._next(events, heard, prompt.model):
                    limits.take(event)
                    found = pieces.of(event)
                    for piece in found:
                        size_bytes += len(piece.text.encode())
                        yield piece
                    if not found:
                        await asyncio.sleep(0)  # one chunk may hold thousands of calls
                for piece in pieces.rest():
                    size_bytes += len(piece.text.encode())
                    yield piece
                for part in ending(response.get(), heard, prompt, size_bytes, asked.output_tool):
                    yield part
        except (AgentRunError, UserError, httpx2.HTTPError, OSError, WireError) as error:
            self._fail(error, prompt.model)

    def _opening(
        self, stack: AsyncExitStack, prompt: Prompt, asked: Asked
    ) -> Awaitable[StreamedResponse]:
        """Send the request; the stack closes the answer."""
        return stack.enter_async_context(
            model_request_stream(
                self._model,
                model_messages(prompt.messages, prompt.model, prompt.files),
                model_settings={**self._settings, **library_settings(prompt, self._model)},
                model_request_parameters=asked.parameters,
            )
        )

    async def _next(
        self, events: AsyncIterator[ModelResponseStreamEvent], heard: Heard, model: str
    ) -> ModelResponseStreamEvent | None:
        """The next event, None at the end; silence after the end of an answer is its end.

        Raises:
            ProviderError: as in `_in_time`.
        """
        try:
            return await self._in_time(anext(events, None), model)
        except ProviderError:
            if heard.ended:
                return None
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.aclose()

    async def _in_time(self, event: Awaitable[T], model: str) -> T:
        """The provider's next event.

        Raises:
            ProviderError: there was none for `idle_s`.
        """
        try:
            async with asyncio.timeout(self._idle_s) as silence:
                return await event
        except TimeoutError:
            if not silence.expired():
                raise
            text = f"{model} said nothing for {self._idle_s:g} s"
            raise ProviderError(text, retryable=True) from None

    def _fail(self, error: Exception, model: str) -> NoReturn:
        """Raise the failure as `ProviderError`, without the cause, which may contain secrets."""
        text = self._redactor.clean(f"{model}: {_said(error)}")
        status = _status(error)
        raise ProviderError(
            paired(text)[:MESSAGE_CHARS],
            retryable=_retryable(error) and (status is None or retry_helps(status)),
            status=status,
            retry_after_s=error.retry_after if isinstance(error, ModelAPIError) else None,
        ).with_traceback(error.__traceback__) from None


def _status(error: Exception) -> int | None:
    """The HTTP status; of a redirect, too, which the library does not follow and calls nothing."""
    if isinstance(error, ModelHTTPError):
        return error.status_code
    if isinstance(error, WireError):
        return error.status
    names = ("status_code", "code")
    found = [it for name in names if isinstance(it := getattr(error.__cause__, name, None), int)]
    return next((it for it in found if 300 <= it < 600), None)


def _retryable(error: Exception) -> bool:
    match error:
        case ModelQuotaExceededError() | ModelRequestRejectedError() | ContentFilterError():
            return False
        case ModelHTTPError(status_code=status):
            return retry_helps(status)
        case WireError():
            return error.retryable
        case UserError():
            return False
        case _:
            return True


def _said(error: Exception) -> str:
    """The provider's message; for a broken connection, with the root cause."""
    text = words(error) or name(error)
    root: BaseException = error
    while isinstance(error, ModelConnectionError) and root.__cause__:
        root = root.__cause__
    return text if root is error else f"{text} ({described(root)})"
