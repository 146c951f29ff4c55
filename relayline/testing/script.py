"""Scripted models: what a test has the model say, one element for each model call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from pydantic import JsonValue

from relayline.activities.model.port import BadScript, ModelPart, ModelProvider, Prompt
from relayline.activities.model.providers.planner import answers_since
from relayline.activities.model.providers.scripted import RehearsalModel, play
from relayline.catalog.rehearsal import Fail, Item, OneCall, Say, Think

Answer = tuple[Item, ...]
"""What one model call answers; `think("hm") + say("yes")` is one answer, too."""
Script = Sequence[Answer]


class ScriptEnded(BadScript):
    """The agent asked the model more often than the script has answers; the run fails with it."""


def say(text: str) -> Answer:
    """The model says this; with no call after it, that ends the turn."""
    return (Say(say=text),)


def think(text: str) -> Answer:
    """The model reasons; it must go on: `think("hm") + say("yes")`."""
    return (Think(think=text),)


def call(tool: str, /, **arguments: JsonValue) -> Answer:
    """The model calls the tool; a sum of them calls several at once."""
    return (OneCall(call=tool, arguments=arguments),)


def fail(status: int, *, times: int = 1, retry_after_s: float | None = None) -> Answer:
    """The provider fails with this HTTP status in the first attempts of the call.

    What the next attempts answer follows: `fail(503) + say("hello")`.
    """
    return (Fail(fail=status, times=times, retry_after_s=retry_after_s),)


class Models(Protocol):
    """The models of a run and of the runs below it."""

    prompts: list[Prompt]
    """What they were asked, in order, each attempt by itself."""

    def of(self, agent: str) -> ModelProvider:
        """The model of that agent."""

    def extend(self, agent: str, script: Script) -> None:
        """Add answers to the agent's script."""


class ScriptedModels:
    """Models of one run and of the runs below it, each agent with a script of its own."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        """Create them.

        Args:
            scripts: By the agent's name; runs of agents without one play the script that their
                message is, as the model `rehearsal` does.
        """
        self._scripts = {name: list(script) for name, script in scripts.items()}
        self.prompts: list[Prompt] = []

    def extend(self, agent: str, script: Script) -> None:
        """As in `Models`."""
        self._scripts.setdefault(agent, []).extend(script)

    def of(self, agent: str) -> ModelProvider:
        """As in `Models`."""
        if agent not in self._scripts:
            return RehearsalModel()
        return _Scripted(agent, self._scripts[agent], self.prompts)


class _Scripted:
    """A `ModelProvider` that gives the answers of a script."""

    def __init__(self, agent: str, script: Script, prompts: list[Prompt]) -> None:
        self._agent = agent
        self._script = script
        self._prompts = prompts

    def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """The answer that follows those that the transcript has.

        Raises:
            ScriptEnded: there is none.
            ProviderError: the script has a failure for this attempt.
        """
        self._prompts.append(prompt)
        if prompt.purpose == "summary":
            return RehearsalModel().stream(prompt)
        number = answers_since(prompt.messages)
        if number >= len(self._script):
            raise ScriptEnded(
                f"the script of agent {self._agent!r} has {len(self._script)} answers, and the "
                f"model was asked for number {number + 1}"
            )
        return play(self._script[number], prompt)
