"""Providers by the name of the model; a provider's library is loaded with its first call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from relayline.activities.model.port import ModelPart, ModelProvider, Prompt, UnknownModel
from relayline.activities.model.providers.local import LocalModel
from relayline.activities.model.providers.scripted import RehearsalModel
from relayline.catalog.models import ModelRef, UnknownModelName, parse_model
from relayline.runtime.redaction import MIN_ECHOED_BYTES, Redactor, credentials_in, own_secrets

if TYPE_CHECKING:
    from relayline.activities.model.providers.remote import RemoteModel

_VARIABLES = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "ollama": ("OLLAMA_BASE_URL",),
}
"""Environment variables of each provider; it needs one of them."""


class ProviderConfig(NamedTuple):
    """Settings of providers that are not in their own environment variables."""

    compatible_base_url: str = ""
    """Base URL of an OpenAI-compatible server, for `compatible:NAME`."""
    compatible_api_key: str = ""
    """The server's API key, if it needs one."""
    local_base_url: str = ""
    """Base URL of the server of `local`."""
    idle_s: float = 60.0
    """The longest silence of a remote provider, in seconds."""


class Providers:
    """The provider of each model, created once: `providers(model)`.

    Close it in the event loop in which its models were called.
    """

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._made: dict[str, ModelProvider] = {"rehearsal": RehearsalModel()}
        self._remote: list[_RemoteOnDemand] = []

    def __call__(self, model: str) -> ModelProvider:
        """The provider of that model.

        Raises:
            UnknownModel: the name is invalid, or a key or URL is missing; the message says what to
                set.
        """
        if model not in self._made:
            self._made[model] = self._make(model)
        return self._made[model]

    async def aclose(self) -> None:
        """Close every connection."""
        for remote in self._remote:
            await remote.aclose()

    def _make(self, model: str) -> ModelProvider:
        try:
            ref = parse_model(model)
        except UnknownModelName as error:
            raise UnknownModel(str(error)) from error
        config = self._config
        match ref.provider:
            case "compatible":
                url = _url(model, "RELAYLINE_COMPATIBLE_BASE_URL", config.compatible_base_url)
                return self._on_demand(ref, url, config.compatible_api_key)
            case "local":
                how = "RELAYLINE_LOCAL_BASE_URL (`relayline dev --local-model` does)"
                return LocalModel(self._on_demand(ref, _url(model, how, config.local_base_url)))
            case _:
                names = _VARIABLES[ref.provider]
                if not any(os.environ.get(name) for name in names):
                    raise _missing(model, " or ".join(names))
                return self._on_demand(ref)

    def _on_demand(self, ref: ModelRef, base_url: str = "", api_key: str = "") -> ModelProvider:
        remote = _RemoteOnDemand(ref, base_url, api_key, self._config.idle_s)
        self._remote.append(remote)
        return remote


class _RemoteOnDemand:
    """A `ModelProvider` that imports its library with the first call, in a thread.

    The import takes a second or two, which must not delay the start of workers that never need it,
    nor the heartbeats of other calls.
    """

    def __init__(self, ref: ModelRef, base_url: str, api_key: str, idle_s: float) -> None:
        self._ref = ref
        self._base_url = base_url
        self._api_key = api_key
        self._idle_s = idle_s
        self._loading = asyncio.Lock()
        self._loaded: RemoteModel | None = None

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """As in `RemoteModel.stream`."""
        async with self._loading:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(self._load)
            remote = self._loaded
        async with aclosing(remote.stream(prompt)) as parts:
            async for part in parts:
                yield part

    async def aclose(self) -> None:
        """Close the connections, if there are any."""
        if self._loaded:
            await self._loaded.aclose()

    def _load(self) -> RemoteModel:
        from relayline.activities.model.providers.connection import Server, connect  # noqa: PLC0415  see above

        server = Server(self._base_url, self._api_key) if self._base_url else None
        sent = (self._api_key, *credentials_in(self._base_url))
        redactor = Redactor({*own_secrets(os.environ), *sent}, MIN_ECHOED_BYTES)
        return connect(self._ref, server, redactor, self._idle_s)


def provider_for(config: ProviderConfig) -> Providers:
    """The providers of a worker; call the result with a model's name."""
    return Providers(config)


def _url(model: str, variable: str, value: str) -> str:
    """The base URL, validated.

    Raises:
        UnknownModel: it is missing, or not an HTTP URL.
    """
    if not value:
        raise _missing(model, variable)
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        # the message does not quote the value, because it may contain a password
        raise _missing(model, f"{variable} to an http(s) URL; its value is not one")
    return value


def _missing(model: str, what: str) -> UnknownModel:
    return UnknownModel(f"model {model!r} can't be reached: set {what}")
