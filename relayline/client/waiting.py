"""Waits for the end of a run by long polls, across lost connections; does no I/O."""

from __future__ import annotations

import json
from time import monotonic
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from relayline.client import calls
from relayline.client.backoff import Backoff
from relayline.client.calls import Call
from relayline.client.errors import NotCompleted, RelaylineError, UnexpectedAnswer, WaitTimeout
from relayline.contracts.answers import RunView

T = TypeVar("T")
POLL_S = 30.0
"""How long the server is asked to wait; it may wait a minute."""
_PAUSE_S = 1.0
"""After an answer that came early without the end, as from a server that stops."""


class Waiting:
    """Decides about the next poll; the caller sends it and sleeps."""

    def __init__(
        self,
        run_id: str,
        timeout_s: float | None,
        backoff: Backoff,
        command_id: str | None = None,
    ) -> None:
        """Begin to wait.

        Args:
            run_id: The run.
            timeout_s: The most seconds; None: as long as it takes.
            backoff: Between polls that fail.
            command_id: Wait for the turn that this command begins; None: for the end of the run.
        """
        self._run_id = run_id
        self._command_id = command_id
        self._timeout_s = timeout_s
        self._backoff = backoff
        self._deadline = None if timeout_s is None else monotonic() + timeout_s
        self._asked = 0.0
        self._wait_s = 0.0

    def poll(self) -> Call[RunView]:
        """The next request."""
        self._asked = monotonic()
        self._wait_s = min(POLL_S, self._left_s())
        return calls.get(self._run_id, self._wait_s, self._command_id)

    def answered(self, view: RunView) -> float | None:
        """Seconds to sleep before the next poll, None when the run, or its turn, has ended.

        Raises:
            WaitTimeout: it has not, and the time is over.
        """
        self._backoff.succeeded()
        if view.status.ended or _settled(view):
            return None
        early = monotonic() - self._asked < self._wait_s / 2
        return self._bounded(_PAUSE_S if early else 0)

    def failed(self, error: RelaylineError) -> float:
        """Seconds to sleep before the next poll.

        Raises:
            RelaylineError: this error, when trying again can't help.
            WaitTimeout: the time is over.
        """
        return self._bounded(self._backoff.after(error).wait_s)

    def _bounded(self, pause_s: float) -> float:
        left_s = self._left_s()
        if left_s <= 0:
            raise WaitTimeout(f"{self._run_id} has not ended in {self._timeout_s:g} s")
        return min(pause_s, left_s)

    def _left_s(self) -> float:
        return POLL_S if self._deadline is None else max(self._deadline - monotonic(), 0)


def _settled(view: RunView) -> bool:
    """True if the turn that was asked for has ended, or its message was refused."""
    asked = view.command
    if asked is None or asked.state == "accepted":
        return False
    over = view.last_turn is not None and view.last_turn.turn == asked.turn
    return asked.state == "refused" or asked.turn is None or over


def result_of(view: RunView, model: type[T]) -> T:
    """The output of a run, or of its newest turn that has ended, in the type that was asked for.

    Raises:
        NotCompleted: it failed, was cancelled, or its message was refused.
        UnexpectedAnswer: the output does not fit the model.
    """
    asked = view.command
    if asked is not None and asked.state == "refused":
        raise NotCompleted(f"{view.run_id} refused the message: {asked.reason}")
    ended = view.last_turn or view
    if ended.status != "completed":
        why = f": {ended.error.type}: {ended.error.message}" if ended.error else ""
        raise NotCompleted(f"{view.run_id} has no answer, it is {ended.status}{why}")
    try:
        return TypeAdapter(model).validate_json(json.dumps(ended.output))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        said = f"the output of {view.run_id} is no {model.__name__}: {place}: {first['msg']}"
        raise UnexpectedAnswer(said) from error
