"""Connects to models of remote providers. Slow to import: see `factory.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import httpx2
from openai.types.chat import ChatCompletionMessageParam
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import create_async_httpx2_client, infer_model
from pydantic_ai.models.ollama import OllamaModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers import Provider
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from relayline.activities.model.providers.keeping import DETAILS
from relayline.activities.model.providers.limits import limit
from relayline.activities.model.providers.remote import CONNECT_TIMEOUT_S, RemoteModel
from relayline.activities.model.providers.wire.listening import listen
from relayline.catalog.models import ModelRef
from relayline.runtime.redaction import Redactor

_Make = Callable[[httpx2.AsyncClient, str | None], Provider[Any]]

_PROVIDERS: dict[str, _Make] = {
    "openai": lambda client, key: OpenAIProvider(api_key=key, http_client=client),
    "anthropic": lambda client, key: AnthropicProvider(api_key=key, http_client=client),
    "google": lambda client, key: GoogleProvider(api_key=key, http_client=client),
    "ollama": lambda client, key: OllamaProvider(api_key=key, http_client=client),
}
"""Without a key, each takes that of the environment."""
_PLAIN = OpenAIModelProfile(
    thinking_tags=("", ""),
    ignore_streamed_leading_whitespace=False,
    openai_chat_send_back_thinking_parts="auto",
    openai_chat_thinking_field=None,
)
"""Text stays as it was sent, tags and blanks and all; reasoning goes back in the field it had."""


class Server(NamedTuple):
    """Where to send what."""

    base_url: str = ""
    """Of an OpenAI-compatible server, for `compatible` and `local`; other providers have their own
    address."""
    api_key: str = ""
    """Empty: that of the environment, or none."""


def connect(ref: ModelRef, server: Server, redactor: Redactor, idle_s: float) -> RemoteModel:
    """Create the model, whose responses are limited; this sends nothing yet.

    Args:
        ref: Provider and name.
        server: With the key to send.
        redactor: Cuts secrets out of error messages.
        idle_s: As in `RemoteModel`.
    """
    client = create_async_httpx2_client(
        timeout=httpx2.Timeout(2 * idle_s, connect=CONNECT_TIMEOUT_S)
    )
    limit(client, f"{ref.provider}:{ref.name}" if ref.name else ref.provider)
    client.event_hooks["response"].append(listen)  # the limits come first
    if server.base_url:
        return RemoteModel(_compatible(ref, server, client), redactor, client, idle_s)
    provider = _PROVIDERS[ref.provider](client, server.api_key or None)
    if ref.provider == "ollama":
        ollama = OllamaModel(ref.name, provider=provider, profile=_PLAIN)
        return RemoteModel(ollama, redactor, client, idle_s)
    model = infer_model(f"{ref.provider}:{ref.name}", lambda _: provider)
    return RemoteModel(model, redactor, client, idle_s)


class _Chat(OpenAIChatModel):
    """Also sends OpenRouter's `reasoning_details` back, which the library does not know here."""

    def _map_model_response(self, message: ModelResponse) -> ChatCompletionMessageParam | None:
        mapped = super()._map_model_response(message)
        details = (message.provider_details or {}).get(DETAILS)
        if mapped is not None and details:
            mapped = cast("ChatCompletionMessageParam", {**mapped, DETAILS: details})
        return mapped


def _compatible(ref: ModelRef, server: Server, client: httpx2.AsyncClient) -> OpenAIChatModel:
    provider = OpenAICompatibleProvider(
        ref.provider,
        base_url=server.base_url,
        api_key=server.api_key or None,
        http_client=client,
    )
    # of other servers we can't know whether they heed a schema; all that call tools can be asked so
    profile = OpenAIModelProfile(
        **_PLAIN,
        supports_json_schema_output=ref.provider == "local",
    )
    return _Chat(ref.name or ref.provider, provider=provider, profile=profile)
