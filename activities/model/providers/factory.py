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
from relayline.activities.model.providers.tenant_keys import NoKeys, TenantKeys
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
    tenant_keys: TenantKeys = NoKeys()
    """Keys that tenants have of their own; without one, the worker's is used."""


def usable_providers(config: ProviderConfig) -> tuple[str, ...]:
    """Names of the providers that this process has a key or an address for."""
    own = {"compatible": config.compatible_base_url, "local": config.local_base_url}
    found = {name for name, given in own.items() if given}
    found |= {name for name, needed in _VARIABLES.items() if any(map(os.environ.get, needed))}
    return ("rehearsal", *sorted(found))


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
            case "rehearsal":
                return self._made["rehearsal"]
            case "compatible":
                url = _url(model, "RELAYLINE_COMPATIBLE_BASE_URL", config.compatible_base_url)
                return self._on_demand(ref, url, config.compatible_api_key)
            case "local":
                how = "RELAYLINE_LOCAL_BASE_URL (`relayline dev --local-model` does)"
                return LocalModel(self._on_demand(ref, _url(model, how, config.local_base_url)))
            case _:
                names, missing = _VARIABLES[ref.provider], ""
                if not any(os.environ.get(name) for name in names):
                    missing = _unset(model, " or ".join(names))
                    if ref.provider == "ollama" or not config.tenant_keys.knows(ref.provider):
                        raise UnknownModel(missing)
                return self._on_demand(ref, missing=missing)

    def _on_demand(
        self, ref: ModelRef, base_url: str = "", api_key: str = "", missing: str = ""
    ) -> ModelProvider:
        remote = _RemoteOnDemand(ref, _Own(base_url, api_key, missing), self._config)
        self._remote.append(remote)
        return remote


class _Own(NamedTuple):
    """What the worker itself has for a provider."""

    base_url: str
    api_key: str
    missing: str
    """What tenants without a key of their own are told; empty: the worker needs no other."""


class _RemoteOnDemand:
    """A `ModelProvider` that imports its library with the first call, in a thread.

    The import takes a second or two, which must not delay the start of workers that never need it,
    nor the heartbeats of other calls. Each key has connections of its own.
    """

    def __init__(self, ref: ModelRef, own: _Own, config: ProviderConfig) -> None:
        self._ref = ref
        self._own = own
        self._keys = config.tenant_keys
        self._idle_s = config.idle_s
        self._loading = asyncio.Lock()
        self._loaded: dict[str, RemoteModel] = {}
        """By the tenant's key; empty: the worker's own."""

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """As in `RemoteModel.stream`.

        Raises:
            UnknownModel: neither the tenant nor the worker has a key.
        """
        key = self._keys.find(prompt.tenant, self._ref.provider)
        if not key and self._own.missing:
            raise UnknownModel(self._own.missing)
        async with self._loading:
            if key not in self._loaded:
                self._loaded[key] = await asyncio.to_thread(self._load, key)
            remote = self._loaded[key]
        async with aclosing(remote.stream(prompt)) as parts:
            async for part in parts:
                yield part

    async def aclose(self) -> None:
        """Close the connections, if there are any."""
        for remote in self._loaded.values():
            await remote.aclose()

    def _load(self, key: str) -> RemoteModel:
        from relayline.activities.model.providers.connection import Server, connect  # noqa: PLC0415  see above

        server = Server(self._own.base_url, key or self._own.api_key)
        sent = (key, self._own.api_key, *credentials_in(self._own.base_url))
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
        raise UnknownModel(_unset(model, variable))
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        # the message does not quote the value, because it may contain a password
        set_to = f"{variable} to an http(s) URL; its value is not one"
        raise UnknownModel(_unset(model, set_to))
    return value


def _unset(model: str, what: str) -> str:
    return f"model {model!r} can't be reached: set {what}"
