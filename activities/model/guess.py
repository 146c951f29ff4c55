"""Guesses the tokens of a call that its provider did not count. Pure."""

from __future__ import annotations

import json

from relayline.activities.model.compaction import estimated_tokens
from relayline.activities.model.port import Prompt
from relayline.contracts.compaction import BYTES_PER_TOKEN
from relayline.contracts.messages import Usage


def guessed_input(prompt: Prompt) -> int:
    """Estimated tokens of the instructions, the messages and the tools."""
    tools = "".join(
        spec.name + spec.description + json.dumps(spec.parameters) for spec in prompt.tools
    )
    beside = len((prompt.instructions + tools).encode("utf-8", "replace"))
    return estimated_tokens(prompt.messages) + -(-beside // BYTES_PER_TOKEN)


def guessed_output(size_bytes: int) -> int:
    """Estimated tokens of so much text, reasoning and arguments."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def guessed(prompt: Prompt, size_bytes: int) -> Usage:
    """The usage of a call whose answer has that size."""
    return Usage(
        input_tokens=guessed_input(prompt), output_tokens=guessed_output(size_bytes), estimated=True
    )
