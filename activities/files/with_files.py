"""A provider whose prompts come with the bytes of the files that they name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from relayline.activities.files.file_loading import FileLoader, named_in
from relayline.activities.model.port import ModelPart, ModelProvider, Prompt


def with_files(
    providers: Callable[[str], ModelProvider], loader: FileLoader
) -> Callable[[str], ModelProvider]:
    """The same providers; files are in memory only while a call runs."""
    return lambda model: _WithFiles(providers(model), loader)


class _WithFiles:
    """A `ModelProvider` that loads files first; prompts without any pass through."""

    def __init__(self, provider: ModelProvider, loader: FileLoader) -> None:
        self._provider = provider
        self._loader = loader

    def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """The answer.

        Raises:
            ProviderError: as the provider's, and as `FileLoader.loaded`.
        """
        named = any(True for _ in named_in(prompt.messages))
        return self._loaded(prompt) if named else self._provider.stream(prompt)

    async def _loaded(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        async with self._loader.loaded(prompt) as files:
            given = prompt._replace(files=files)
            async with aclosing(self._provider.stream(given)) as parts:
                async for part in parts:
                    yield part
