"""The model `local`: a small model on this machine, behind an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from relayline.activities.model.port import ModelPart, ModelProvider, Prompt


class LocalModel:
    """A `ModelProvider` that hides tools from a model that is too small to use them."""

    def __init__(self, server: ModelProvider) -> None:
        self._server = server

    def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """As the server's; the model does not see any tools."""
        return self._server.stream(prompt._replace(tools=()))
